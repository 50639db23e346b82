//! Every text of the pages, in both languages. A text that one language lacks does not compile.

macro_rules! texts {
    ($($name:ident: $english:literal | $portuguese:literal;)+) => {
        /// Every text of one language.
        #[derive(Debug)]
        pub struct Texts { $(pub $name: &'static str),+ }

        /// English.
        pub static ENGLISH: Texts = Texts { $($name: $english),+ };

        /// Portuguese of Brazil.
        pub static PORTUGUESE: Texts = Texts { $($name: $portuguese),+ };

        #[cfg(test)]
        const ALL: &[(&str, &str, &str)] = &[$((stringify!($name), $english, $portuguese)),+];
    };
}

#[rustfmt::skip]
texts! {
    // Around every page.
    skip: "To the content" | "Ir para o conteúdo";
    menu: "Pages" | "Páginas";
    search: "Find" | "Buscar";
    search_label: "Record: an id or a value" | "Registro: um id ou um valor";
    sign_in: "Sign in" | "Entrar";
    sign_out: "Sign out" | "Sair";
    times_are_utc: "Times are UTC" | "Horários em UTC";
    back: "Back" | "Voltar";
    news: "This page says something else by now." | "Esta página já diz outra coisa.";
    to_decide: "To decide" | "A decidir";
    to_look_up: "To look up" | "Consultar";
    overview: "Overview" | "Visão geral";
    drift: "Drift reports" | "Relatórios de divergência";
    conflicts: "Conflicts" | "Conflitos";
    deletes: "Pending deletes" | "Exclusões pendentes";
    held_runs: "Held runs" | "Execuções retidas";
    suggestions: "Suggestions" | "Sugestões";
    failures: "Failures" | "Falhas";
    links: "Links" | "Vínculos";
    runs: "Runs" | "Execuções";
    events: "Events" | "Eventos";
    operations: "Operations" | "Operação";
    ignore_rules: "Ignore rules" | "Regras de exceção";
    notices: "Notices" | "Avisos";
    systems: "Systems" | "Sistemas";
    show_reason: "Personal data is masked. Why do you need it? (it stands in the audit)"
        | "Dados pessoais estão ocultos. Por que você precisa deles? (fica na auditoria)";
    show_values: "Show values" | "Mostrar valores";
    webhooks: "Webhooks" | "Webhooks";
    webhooks_help: "What both sides of every webhook keep to, made of the definitions that this daemon works by (in English, to hand over)."
        | "O que os dois lados de cada webhook cumprem, feito das definições com que este daemon trabalha (em inglês, para entregar).";
    webhooks_all: "All of them in one file" | "Todos em um arquivo";
    contract: "What both sides keep to" | "O que os dois lados cumprem";
    address: "Address" | "Endereço";
    webhooks_none: "Nothing sends webhooks to this daemon, and it sends none." | "Nada envia webhooks a este daemon, e ele não envia nenhum.";
    audit: "Audit" | "Auditoria";
    settings: "Settings" | "Configurações";
    // Signing in.
    name: "Name" | "Nome";
    password: "Password" | "Senha";
    password_again: "Password, again" | "Senha, outra vez";
    sign_in_wrong: "Name or password is wrong." | "Nome ou senha incorretos.";
    sign_in_help: "No password yet, or forgotten? Whoever runs Syncline makes a link for you with `syncline user link`."
        | "Ainda sem senha, ou esqueceu? Quem opera o Syncline cria um link para você com `syncline user link`.";
    sign_in_at: "Sign in at" | "Entrar em";
    sign_in_or: "or with a password" | "ou com uma senha";
    signed_out_here: "You are signed out here." | "Você saiu daqui.";
    sign_out_at: "Sign out at" | "Sair também de";
    openid_unreachable: "The identity provider cannot be asked now. Try again in a minute; if it stays so, whoever runs Syncline finds the reason in its log."
        | "O provedor de identidade não responde agora. Tente de novo em um minuto; se continuar assim, quem opera o Syncline encontra o motivo no log.";
    openid_stale: "This sign-in was begun in another browser, is over, or took longer than ten minutes. Begin it again."
        | "Este acesso foi iniciado em outro navegador, já terminou ou levou mais de dez minutos. Comece de novo.";
    openid_denied: "The identity provider did not let you in. Try again, or ask whoever looks after your account there."
        | "O provedor de identidade não permitiu seu acesso. Tente de novo ou fale com quem cuida da sua conta lá.";
    openid_unbelieved: "The identity provider's answer cannot be believed, so nobody was signed in. Whoever runs Syncline finds the reason in its log."
        | "A resposta do provedor de identidade não é confiável, e ninguém entrou. Quem opera o Syncline encontra o motivo no log.";
    openid_no_role: "We know who you are, but none of your groups has a role here. Ask whoever looks after your groups; these are the values of the claim:"
        | "Sabemos quem você é, mas nenhum dos seus grupos tem um papel aqui. Fale com quem cuida dos seus grupos; estes são os valores da declaração:";
    openid_no_tenant: "We know who you are, but you belong to none of the tenants here, so there is nothing for you to see. Ask whoever looks after your groups; these are the values of the claim:"
        | "Sabemos quem você é, mas você não pertence a nenhum dos inquilinos daqui, e não há nada para você ver. Fale com quem cuida dos seus grupos; estes são os valores da declaração:";
    openid_name_taken: "Another person has your name here already. Whoever runs Syncline can remove them (`syncline user remove`) or choose another `name_claim`. The name:"
        | "Outra pessoa já tem o seu nome aqui. Quem opera o Syncline pode removê-la (`syncline user remove`) ou escolher outro `name_claim`. O nome:";
    set_password: "Set your password" | "Definir sua senha";
    link_is_for: "This link is for" | "Este link é para";
    password_rule: "Characters of a password, at least:" | "Mínimo de caracteres da senha:";
    password_bad: "The password is too short or too long." | "A senha é curta ou longa demais.";
    password_differs: "The two passwords are not the same." | "As duas senhas não são iguais.";
    // Words of lists.
    all: "all" | "todos";
    yes: "yes" | "sim";
    no: "no" | "não";
    never: "never" | "nunca";
    show: "Show" | "Mostrar";
    first_page: "First page" | "Primeira página";
    next_page: "Next page" | "Próxima página";
    mapping: "Mapping" | "Mapeamento";
    system: "System" | "Sistema";
    record: "Record" | "Registro";
    field: "Field" | "Campo";
    fields: "Fields" | "Campos";
    object: "Object" | "Objeto";
    side: "Side" | "Lado";
    left: "Left" | "Esquerda";
    right: "Right" | "Direita";
    state: "State" | "Estado";
    kind: "Kind" | "Tipo";
    value: "Value" | "Valor";
    when: "When" | "Quando";
    since: "Since" | "Desde";
    until: "Until" | "Até";
    who: "Who" | "Quem";
    what: "What" | "O quê";
    to_what: "To what" | "Em quê";
    why: "Why" | "Por quê";
    more: "More" | "Mais";
    from: "From" | "Origem";
    owner: "Owner" | "Responsável";
    note: "Note" | "Nota";
    first: "First" | "Primeira vez";
    last: "Last" | "Última vez";
    remove: "Remove" | "Remover";
    run: "Run" | "Execução";
    event: "Event" | "Evento";
    failure: "Failure" | "Falha";
    conflict: "Conflict" | "Conflito";
    link: "Link" | "Vínculo";
    living: "all but ended ones" | "todos menos os encerrados";
    links_help: "Which records are known to be the same thing." | "Quais registros se sabe que são a mesma coisa.";
    no_links: "There is no such link." | "Não há vínculos assim.";
    unlink_sure: "The pair is no longer known to be the same thing. Both records stay." | "Deixa-se de saber que são a mesma coisa. Os dois registros ficam.";
    pairs: "Pairs, at the last comparison" | "Pares, na última comparação";
    attempts: "Attempts" | "Tentativas";
    decide: "Decide" | "Decidir";
    decision: "Decision" | "Decisão";
    decided_by: "Decided by" | "Decidido por";
    what_to_do: "What to do" | "O que fazer";
    // Overview and mappings.
    queue_empty: "Every change that came is worked on." | "Todas as mudanças recebidas foram processadas.";
    queue_depth: "Changes that wait" | "Mudanças em espera";
    queue_oldest: "the oldest for" | "a mais antiga há";
    queue_waiting: "of these, for another record:" | "destas, por outro registro:";
    no_mappings: "No mapping is loaded: write one, or begin with `syncline init`." | "Nenhum mapeamento carregado: escreva um, ou comece com `syncline init`.";
    all_well: "All is well: nothing waits for you." | "Tudo em ordem: nada espera por você.";
    match_score: "Match" | "Acordo";
    drift_trend: "Trend" | "Tendência";
    still_differ: "Differences left" | "Diferenças restantes";
    last_reconciliation: "Last reconciliation" | "Última reconciliação";
    next_reconciliation: "Next reconciliation" | "Próxima reconciliação";
    only_when_asked: "only when asked" | "só a pedido";
    daily_at: "Daily at" | "Todo dia às";
    repairs: "Repairs drift" | "Repara divergências";
    version: "Version" | "Versão";
    drift_over_time: "Drifted records over time" | "Registros divergentes ao longo do tempo";
    as_numbers: "As numbers" | "Em números";
    direction: "Direction" | "Sentido";
    personal_data: "Personal data" | "Dado pessoal";
    reconcile_kind: "Compare" | "Comparar";
    kind_reconcile: "what may differ" | "o que pode diferir";
    kind_full: "every record" | "todos os registros";
    repair_too: "repair, too" | "reparar também";
    start_reconciliation: "Reconcile now" | "Reconciliar agora";
    last_runs: "Last runs" | "Últimas execuções";
    all_runs: "All runs of this mapping" | "Todas as execuções deste mapeamento";
    no_runs: "There is no such run." | "Não há execuções assim.";
    // Drift reports.
    drift_report: "Drift report" | "Relatório de divergência";
    no_reports: "There is no report yet: the first reconciliation makes it." | "Ainda não há relatório: a primeira reconciliação o cria.";
    in_agreement: "Both systems agree in every mapped field." | "Os dois sistemas concordam em todos os campos mapeados.";
    compared: "Compared" | "Comparados";
    in_step: "In step" | "Em acordo";
    drifted: "Drifted" | "Divergentes";
    differences: "Differences" | "Diferenças";
    repaired: "Repaired" | "Reparadas";
    repair_failed: "Repair failed" | "Reparo falhou";
    left_alone: "Left alone" | "Deixadas de fora";
    by_cause: "By cause" | "Por causa";
    by_field: "By field" | "Por campo";
    by_situation: "By situation" | "Por situação";
    by_age: "By age" | "Por idade";
    new_fields: "New fields" | "Campos novos";
    new_fields_next: "They were not there before, and nothing reads them. With their types:" | "Antes não estavam lá, e nada os lê. Com os tipos:";
    by_code: "By code" | "Por código";
    by_class: "By class" | "Por classe";
    new_since: "New" | "Novas";
    gone_since: "Gone" | "Sumiram";
    still_there: "Still there" | "Continuam";
    back_again: "Back again" | "Voltaram";
    cause: "Cause" | "Causa";
    situation: "Situation" | "Situação";
    outcome: "Outcome" | "Desfecho";
    take_along: "Take along" | "Levar como";
    no_differences: "There is no such difference." | "Não há diferenças assim.";
    // Decisions.
    take: "Take" | "Usar";
    ignore: "Ignore" | "Ignorar";
    ignore_until_changed: "Ignore until it changes" | "Ignorar até mudar";
    winner: "Winner" | "Vencedor";
    decided_value: "Decided value" | "Valor decidido";
    another_value: "Another value for both sides, as written in" | "Outro valor para os dois lados, como se escreve em";
    write_this: "Write this" | "Gravar este";
    conflicts_help: "Both sides changed the same field. Whose value counts?" | "Os dois lados mudaram o mesmo campo. Qual valor vale?";
    no_conflicts: "No conflict waits for you." | "Nenhum conflito espera por você.";
    deletes_help: "One record of a linked pair is gone. What is to happen to the other?" | "Um registro de um par vinculado sumiu. O que fazer com o outro?";
    also_decided: "also those that are decided" | "também as já decididas";
    no_deletes: "No pending delete waits for you." | "Nenhuma exclusão pendente espera por você.";
    gone_in: "Gone in" | "Sumiu em";
    keep_record: "Keep" | "Manter";
    recreate_record: "Make again" | "Recriar";
    unlink: "Unlink" | "Desvincular";
    delete_too: "Delete, too …" | "Excluir também …";
    delete_sure: "The record that is left is deleted in its system." | "O registro que restou é excluído no sistema dele.";
    delete_it: "Delete it" | "Excluir";
    held_help: "A guard rail stopped these before they wrote. Released, they do what they announced and no further."
        | "Um limite de segurança parou estas execuções antes de gravar. Liberadas, fazem o anunciado e não além.";
    no_held: "No run is held." | "Nenhuma execução retida.";
    what_it_found: "What it found" | "O que encontrou";
    what_it_would_do: "What it would do" | "O que faria";
    would_create: "Make" | "Criar";
    would_update: "Change" | "Alterar";
    would_delete: "Delete" | "Excluir";
    an_admin_decides: "An administrator releases or discards it." | "Um administrador libera ou descarta.";
    release: "Release" | "Liberar";
    discard: "Discard" | "Descartar";
    suggestions_help: "Similar records that no rule couples. Are they the same thing?" | "Registros parecidos que nenhuma regra une. São a mesma coisa?";
    no_suggestions: "No suggestion waits for you." | "Nenhuma sugestão espera por você.";
    similar: "Similar" | "Semelhança";
    compared_by: "Compared by" | "Comparados por";
    same_thing: "The same" | "São o mesmo";
    not_the_same: "Not the same" | "Não são";
    ignore_help: "Differences that somebody has chosen to leave, until a date." | "Diferenças que alguém decidiu deixar, até uma data.";
    also_ended: "also those that have ended" | "também as encerradas";
    no_rules: "There is no such rule." | "Não há regras assim.";
    new_rule: "New rule" | "Nova regra";
    leave_alone: "Leave alone" | "Deixar de fora";
    // Failures and events.
    no_failures: "No record has failed." | "Nenhum registro falhou.";
    unsettled: "unsettled" | "não resolvidas";
    class: "Class" | "Classe";
    stage: "Stage" | "Etapa";
    code: "Code" | "Código";
    what_happened: "What happened" | "O que houve";
    next_try: "Next try" | "Próxima tentativa";
    reprocess: "Reprocess" | "Reprocessar";
    reprocess_all: "Reprocess all that are listed" | "Reprocessar todas as listadas";
    being_reprocessed: "Being reprocessed" | "Em reprocessamento";
    still_waiting: "Records that still wait:" | "Registros que ainda esperam:";
    all_reprocessed: "All of them were looked at again:" | "Todas foram processadas de novo:";
    reprocess_them: "Reprocess them" | "Reprocessá-las";
    these_are: "Failures that would be reprocessed:" | "Falhas que seriam reprocessadas:";
    no_events: "There is no such event." | "Não há eventos assim.";
    received: "Received" | "Recebido";
    processed: "Processed" | "Processado";
    happened: "Happened there" | "Ocorreu lá";
    took: "Took" | "Levou";
    last_error: "Last error" | "Último erro";
    its_id_there: "Its id there" | "Seu id lá";
    own_echo: "Caused by ourselves" | "Causado por nós";
    merged_into: "Lives on as" | "Continua como";
    request: "Request" | "Requisição";
    // Runs.
    started_by: "Started by" | "Iniciada por";
    began: "Began" | "Início";
    ended: "Ended" | "Fim";
    lasted: "Lasted" | "Durou";
    node: "Node" | "Nó";
    written: "Written" | "Gravados";
    progress: "Progress" | "Andamento";
    phase: "At" | "Fase";
    left_read: "Left read" | "Lidos à esquerda";
    right_read: "Right read" | "Lidos à direita";
    planned: "To work on" | "A processar";
    worked_on: "Worked on" | "Processados";
    at_work: "It is at work." | "Em andamento.";
    what_it_did: "What it did" | "O que fez";
    nothing_yet: "Nothing was counted." | "Nada foi contado.";
    its_failures: "Its failures" | "Suas falhas";
    count_requests: "Requests" | "Requisições";
    count_read: "Read" | "Lidos";
    count_linked: "Linked" | "Vinculados";
    count_created: "Created" | "Criados";
    count_updated: "Updated" | "Alterados";
    count_deleted: "Deleted" | "Excluídos";
    count_unchanged: "Unchanged" | "Inalterados";
    count_skipped: "Left out" | "Deixados";
    // One record.
    find_record: "Find a record" | "Buscar um registro";
    find_help: "By its id in either system, by a value that the last drift report shows of it, or by one that records are matched by, such as a tax id: then both systems are asked." | "Pelo id em qualquer dos sistemas, por um valor que o último relatório mostra dele, ou por um valor de correspondência, como o CNPJ: aí os dois sistemas são consultados.";
    nothing_on_record: "Nothing is on record about it. What would be done shows how both systems stand." | "Nada registrado sobre ele. O que seria feito mostra como estão os dois sistemas.";
    ask_systems: "Ask both systems for this value" | "Perguntar aos dois sistemas por este valor";
    not_asked: "Not asked:" | "Não perguntado:";
    nothing_found: "Nothing is on record about" | "Nada registrado sobre";
    story: "Story" | "História";
    not_linked: "not linked" | "sem vínculo";
    last_in_sync: "Last in sync" | "Última vez em acordo";
    what_would_be_done: "What would be done" | "O que seria feito";
    nothing_to_write: "Nothing would be written." | "Nada seria gravado.";
    look_now: "Synchronize now" | "Sincronizar agora";
    // Systems, settings, audit, notices.
    no_systems: "No system is configured: declare them under `[systems.<name>]`." | "Nenhum sistema configurado: declare-os em `[systems.<nome>]`.";
    auth: "Signs in by" | "Acesso por";
    no_connector: "no connector is loaded" | "nenhum conector carregado";
    subscriptions: "Subscriptions to its pushes" | "Assinaturas dos avisos dele";
    no_subscriptions: "none yet" | "nenhuma ainda";
    this_minute: "Requests this minute, and at most" | "Requisições neste minuto e o máximo";
    budget_use_short: "over time" | "ao longo do tempo";
    paused_mapping: "Paused:" | "Pausado:";
    secret_owner: "Answers for the secrets" | "Responde pelos segredos";
    secret_due: "Secrets to be replaced by" | "Trocar os segredos até";
    webhook_secrets: "Webhook secrets" | "Segredos de webhook";
    webhook_url: "Webhooks go to" | "Webhooks vão para";
    in_flight: "Requests at once, and at most" | "Requisições simultâneas e o máximo";
    daily_quota: "Requests of 24 hours" | "Requisições em 24 horas";
    reserve: "kept for live events:" | "reserva para eventos:";
    token_renews: "Token renewed" | "Token renovado";
    circuit_open_until: "Nothing is sent until" | "Nada é enviado até";
    rests_until: "Rests until" | "Descansa até";
    settings_help: "As they were loaded at the start; secrets are masked." | "Como foram carregadas na partida; segredos ocultos.";
    setting: "Setting" | "Configuração";
    no_audit: "Nobody has done anything yet." | "Ninguém fez nada ainda.";
    notices_help: "What people and programs were told, and what became of it." | "O que pessoas e programas foram avisados, e o que houve com isso.";
    no_notices: "There is no such notice." | "Não há avisos assim.";
    who_was_told: "Who was told" | "Quem foi avisado";
    send_again: "Send again" | "Enviar de novo";
    // How things went.
    operations_help: "The last hour: events of all nodes, requests of this one. Times are UTC." | "A última hora: eventos de todos os nós, requisições deste. Horários em UTC.";
    events_of_hour: "Events of the last hour" | "Eventos da última hora";
    half_done_within: "Half were done within" | "Metade ficou pronta em até";
    of_hundred_99_done_within: "99 of 100 were done within" | "99 de 100 ficaram prontos em até";
    not_done: "No effect, or not yet" | "Sem efeito, ou ainda não";
    events_a_minute: "Events a minute" | "Eventos por minuto";
    no_events_in_hour: "No event came in within the last hour. If some should have, look whether the other system still sends: its subscription, its secret, its address for us."
        | "Nenhum evento chegou na última hora. Se algum deveria ter chegado, veja se o outro sistema ainda envia: a assinatura, o segredo, o nosso endereço.";
    minute: "Minute" | "Minuto";
    latency: "How long it took" | "Quanto demorou";
    nothing_processed: "Nothing that came in within the last hour was processed." | "Nada do que chegou na última hora foi processado.";
    until_done: "From receipt until the effect was done" | "Do recebimento até o efeito pronto";
    processing_time: "Processing alone" | "Só o processamento";
    half: "half" | "metade";
    of_hundred_95: "95 of 100" | "95 de 100";
    of_hundred_99: "99 of 100" | "99 de 100";
    done_events: "Done" | "Prontos";
    budget_use: "Requests to each system, and its limits" | "Requisições a cada sistema, e seus limites";
    busiest_minute: "Busiest minute" | "Minuto mais cheio";
    at_most_a_minute: "At most a minute" | "No máximo por minuto";
    requests_a_minute: "requests a minute" | "requisições por minuto";
    requests_an_hour: "requests an hour, of all nodes" | "requisições por hora, de todos os nós";
    even_share: "the quota, spread evenly" | "a cota, dividida por igual";
    // Refusals.
    refused_forbidden: "Your role does not include this" | "Seu papel não inclui isto";
    refused_forbidden_next: "Ask whoever runs Syncline, if you need it for your work." | "Se precisar disso no seu trabalho, peça a quem opera o Syncline.";
    refused_not_found: "There is no such thing" | "Isto não existe";
    refused_not_found_next: "It may be gone by now: look it up in its list." | "Pode já ter sido removido: procure na lista.";
    refused_conflict: "The present state does not allow this" | "O estado atual não permite isto";
    refused_conflict_next: "Load the page again: somebody or something was faster." | "Recarregue a página: alguém ou algo foi mais rápido.";
    refused_too_many: "Too many requests" | "Pedidos demais";
    refused_too_many_next: "Wait a moment and try again." | "Aguarde um momento e tente de novo.";
    refused_failed: "Not now" | "Agora não";
    refused_failed_next: "Try again in a moment; the log says more." | "Tente de novo em instantes; o log diz mais.";
    refused_invalid: "The request makes no sense" | "O pedido não faz sentido";
    refused_invalid_next: "Go back and correct what is named above." | "Volte e corrija o que está indicado acima.";
    // What a form has done.
    done_signed_out: "You are signed out." | "Você saiu.";
    done_reprocess: "It will be looked at again in a moment." | "Será processado de novo em instantes.";
    done_failure_ignored: "The failure counts as none." | "A falha não conta mais.";
    done_decided: "Decided. It takes effect in a moment." | "Decidido. Vale em instantes.";
    done_unlinked: "The pair is linked no more." | "O par não está mais vinculado.";
    done_ignored: "It is left alone until the date you named." | "Fica de fora até a data indicada.";
    done_unignored: "The rule is gone; what it left alone counts again." | "A regra foi removida; o que ela deixava de fora volta a contar.";
    done_begun: "The run has begun." | "A execução começou.";
    done_released: "The run goes on, to what it announced and no further." | "A execução continua, até o anunciado e não além.";
    done_discarded: "The run is given up; nothing of it is done." | "A execução foi descartada; nada dela é feito.";
    done_resent: "It is sent again." | "Será enviado de novo.";
}

#[cfg(test)]
mod tests {
    use super::ALL;

    /// Texts that are the same in both languages: people in Brazil say webhooks, too.
    const SAME: &[&str] = &["webhooks"];

    #[test]
    fn every_text_is_there_in_both_languages() {
        for (name, english, portuguese) in ALL {
            assert!(
                !english.trim().is_empty() && !portuguese.trim().is_empty(),
                "{name} is empty"
            );
            assert_eq!(english == portuguese, SAME.contains(name), "{name} is not translated");
        }
    }
}
