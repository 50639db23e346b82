//! What the codes of failures mean and what to do about them, in Portuguese; English is that of `docs/errors`.

use super::language::Language;
use crate::server::code::{self, Meaning};

/// Code, what it means, what to do.
#[rustfmt::skip]
const PORTUGUESE: &[(&str, &str, &str)] = &[
    // Requests to other systems.
    ("RQ001", "o endereço não é público, ou não é http(s)", "inclua a rede em `allow_networks` do sistema, se for intencional"),
    ("RQ002", "não há conexão: endereço errado, nome que não resolve, nada escutando, TLS", "confira `base_url` e se o sistema está no ar"),
    ("RQ003", "a requisição não pode ser montada em HTTP; nada foi enviado", "corrija os modelos do conector, ou o valor"),
    ("RQ004", "a resposta é maior que `limits: body_bytes_max`", "peça páginas menores, ou aumente o limite"),
    ("RQ005", "não houve resposta completa a tempo", "aumente `limits: timeout` ou `idle_timeout`, se o sistema é lento por natureza"),
    ("RQ006", "a conexão caiu antes do fim da resposta", "nada; se continuar, veja a rede no caminho"),
    ("RQ007", "a resposta é JSON, XML ou CSV quebrado", "veja a resposta do sistema com as ferramentas dele"),
    ("RQ008", "veio uma página HTML ou texto onde deveria haver JSON; isto nunca conta como registro ausente ou gravado", "`base_url` está certo? há uma tela de login ou um proxy na frente?"),
    ("RQ009", "um lado não aceita o certificado do outro", "renove o certificado vencido (`syncline auth status` mostra os nossos), ou faça esta máquina confiar no emissor"),
    ("RQ010", "o sistema não respondeu várias vezes e é deixado em paz por um tempo", "nada se perde: o trabalho continua quando ele responder"),
    ("RQ011", "o sistema pediu uma pausa mais longa do que esta requisição pode esperar", "reduza `limits:` se isso é frequente"),
    ("RQ012", "a cota diária acabou, ou o resto dela é reservado a eventos", "aumente a cota com o fornecedor, ou consulte e reconcilie menos"),
    ("RQ013", "ninguém sabe quanto resta da cota, pois o nosso banco de dados não responde; nada é enviado para não exceder", "veja o banco de dados (`syncline doctor`, `/readyz`); o trabalho continua quando ele responder"),
    ("RQ020", "requisições demais", "reduza `limits:` se isso é frequente"),
    ("RQ021", "o sistema não está bem (5xx, ou uma regra diz isso)", "nada; será tentado de novo"),
    ("RQ022", "o registro já existe", "vincule os dois registros, ou corrija a chave"),
    ("RQ023", "este registro não existe", "foi excluído, ou o caminho no conector está errado"),
    ("RQ024", "o registro mudou nesse meio-tempo", "nada; será lido e planejado de novo"),
    ("RQ025", "a resposta aponta para outro lugar, e redirecionamentos não são seguidos", "use o endereço final em `base_url`"),
    ("RQ026", "o sistema recusou; as palavras dele seguem", "corrija o registro ou o mapeamento e reprocesse"),
    ("RQ030", "uma listagem quebrou dentro do Syncline", "avise-nos, com o log"),
    ("RQ031", "o conector não descreve esta operação", "inclua-a no conector"),
    ("RQ032", "a resposta não é a que o conector descreve", "compare `records:`, `record:`, `id:` e `page:` com a documentação do sistema"),
    ("RQ033", "a resposta a um lote não diz nada sobre um dos registros; ele é lido antes de qualquer novo envio", "confira `results:` e `index:` do lote"),
    ("RQ034", "pedido um registro, o sistema respondeu com outro: nada é aproveitado", "`get:` deve pedir este id e nada mais; registro unificado: `syncline links relink`"),
    ("RQ035", "a descrição que `discover:` do conector cita não existe lá", "corrija o caminho, ou deixe o usuário de integração lê-la"),
    ("RQ040", "o filtro por data de alteração não faz nada", "compare `since` de `list:` ou `changed:` com a documentação do sistema: o nome do parâmetro, a forma da data"),
    ("RQ041", "o filtro por data de alteração esconde tudo", "como em RQ040"),
    ("RQ050", "uma tabela não é como o conector diz, ou não serve para o que se pede", "veja a dica: ela traz o `create index` que resolve"),
    // Signing in to them.
    ("AU001", "as credenciais não são aceitas, nem depois de entrar de novo", "foram trocadas?"),
    ("AU002", "o acesso é negado", "dê ao usuário de integração os direitos ou escopos para este objeto"),
    ("AU003", "falta uma credencial, ou ela está vazia", "inclua-a em `credentials` do sistema na configuração"),
    ("AU004", "o servidor de acesso não deu um token e disse por quê", "confira o id do cliente, o segredo, os escopos e `token_url`"),
    ("AU005", "o login não pode ser montado, ou a resposta não traz sessão", "corrija `auth: session:`, ou confira usuário e senha"),
    ("AU006", "o servidor de acesso não está bem, ou pede uma pausa", "nada; será perguntado de novo"),
    ("AU007", "a resposta do servidor de acesso não é um token", "`token_url` está certo? há uma tela de login ou um proxy na frente?"),
    ("AU008", "o servidor de acesso não responde; as credenciais nem foram vistas", "confira `token_url`, e se o servidor de acesso está no ar e ao alcance desta máquina"),
    ("AU009", "um token espera ser renovado", "nada; se continuar, veja o banco de dados (`syncline doctor`)"),
    ("AU010", "o acesso terminou: ninguém entrou, ou o token de renovação não vale mais", "`syncline auth login SISTEMA`; com `grant: refresh_token`, dê um novo como credencial"),
    ("AU011", "a declaração não pode ser assinada: sem chave, ou não deste algoritmo", "dê à credencial o texto PEM inteiro da chave, e a `algorithm:` o algoritmo dela"),
    ("AU012", "o emissor não se descreve, ou se chama de outro modo", "corrija `issuer`; a descrição dele fica em `/.well-known/openid-configuration`"),
    ("AU013", "o acesso de uma pessoa não deu certo", "veja a mensagem; `syncline auth login SISTEMA` começa de novo"),
    ("AU014", "o servidor de acesso não aceitou um token de volta", "retire o consentimento no próprio servidor de acesso"),
    // Decided by the planner, and met on the way.
    ("PL001", "vários registros do outro sistema coincidem com este", "unifique os duplicados no sistema deles; o próximo olhar vincula o que restar"),
    ("PL002", "o único registro que coincide pertence a outro vínculo", "um dos dois é duplicado: unifique-os, ou desfaça o vínculo errado em Vínculos"),
    ("PL003", "os dois lados mudaram um campo e ninguém prevalece, ou o último acordo se perdeu", "compare os dois valores em Conflitos e escolha um"),
    ("SY001", "o mapeamento cita um sistema que este ambiente não tem", "inclua `[systems.<nome>]` na configuração"),
    ("SY002", "não há como procurar um par no outro sistema, e um registro novo poderia ser um segundo", "dê ao objeto uma operação `find:`, ou espere a próxima reconciliação, que o encontra"),
    ("SY003", "ninguém sabe se um registro foi criado antes de a resposta se perder", "procure-o lá; a próxima reconciliação o vincula, ou o cria se faltar. Nada é enviado duas vezes às cegas"),
    ("SY004", "o registro foi gravado vezes demais em pouco tempo: algo muda o valor de volta", "descubra qual sistema o faz; `loop:` no mapeamento define o limite"),
    ("SY005", "os registros continuam mudando enquanto são gravados", "nada: será tentado de novo"),
    ("SY006", "o trabalho no registro demorou mais do que pode", "nada: será tentado de novo; se continuar, veja a lentidão dos sistemas"),
    ("SY007", "eventos ou consultas excluiriam em um dia mais registros do que o mapeamento permite: este foi mantido", "se eles realmente sumiram do outro sistema, reprocesse esta falha ou deixe a próxima reconciliação avaliar todos juntos; senão, descubra o que os esconde lá. `reconcile.limits.delete` define o limite"),
    ("SY010", "o trabalho no registro quebrou", "a falha é nossa: avise com o log dessa hora e reprocesse"),
    ("SY011", "o processo terminou várias vezes enquanto trabalhava no registro, que foi posto de lado", "a falha é nossa: avise com o log e reprocesse o registro"),
    ("SY012", "outro trabalhava nos mesmos registros ao mesmo tempo", "nada: serão vistos de novo"),
    ("SY013", "um registro se perdeu entre dois passos do trabalho", "a falha é nossa: avise com o log dessa hora"),
    ("SY014", "o sistema respondeu sucesso e manteve o valor antigo", "veja no sistema por que não pode ser mudado: uma regra, um registro fechado, um direito, um campo só de leitura"),
    ("SY060", "um campo que o mapeamento lê sumiu de um sistema, ou todos os valores dele são de outro tipo: o mapeamento parou, nada foi gravado", "`syncline connector discover SISTEMA OBJETO` mostra o que há agora; corrija conector e mapeamento, ou os direitos do usuário de integração, e depois `syncline reconcile NOME`"),
    // Values.
    ("MP101", "um valor não é o que o mapeamento espera", "corrija o registro, ou declare o tipo do campo"),
    ("MP102", "uma expressão não pode ser calculada para este registro", "faça-a valer, com `default(…)` ou uma condição"),
    ("MP103", "um valor não tem par em `values`", "inclua-o, ou diga o que fazer com `on_unmapped:`"),
    ("MP104", "um valor não cabe no campo do outro sistema", "converta-o com `values:` ou `from:`, ou declare outro `type:`"),
    ("MP105", "um filtro não pode ser calculado, ou não dá sim nem não", "faça-o valer para todos os registros"),
    ("MP106", "um valor definido por uma pessoa não cabe no campo, ou não pode valer para os dois lados", "dê outro valor, ou escolha um lado"),
    ("MP107", "um valor não é uma lista de linhas, uma das linhas não é um mapa de campos, ou há mais de 5.000 delas", "corrija o registro, ou mapeie a lista como um só valor, sem `fields:`"),
    ("MP108", "uma linha não tem chave, ou a divide com outra da mesma lista", "corrija o registro, indique mais em `by:`, ou deixe `by:` fora: as linhas são então conhecidas pela posição"),
];

/// What a code means, in the reader's language; none where it is not one of ours.
pub fn meaning(code: &str, language: Language) -> Option<Meaning> {
    let english = code::meaning(code);
    if language == Language::English {
        return english;
    }
    let found = PORTUGUESE.iter().find(|(known, ..)| *known == code);
    let found = found.map(|(_, means, next)| Meaning { means, next });
    found.or(english)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_of_a_failure_is_told_in_portuguese() {
        // The others are those of files, which no record fails with.
        let of_records = code::all().filter(|code| !code.starts_with("MP0"));
        let missing: Vec<&str> = of_records
            .filter(|code| PORTUGUESE.iter().all(|(known, ..)| known != code))
            .collect();
        assert!(missing.is_empty(), "{missing:?}");
        for (code, ..) in PORTUGUESE {
            assert!(code::meaning(code).is_some(), "{code} is none");
        }
    }
}
