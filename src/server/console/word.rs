//! Words of the product (statuses, causes, kinds) in Portuguese; in English they are what they are.

#[rustfmt::skip]
const WORDS: &[(&str, &str)] = &[
    // Runs.
    ("event", "evento"), ("poll", "consulta"), ("reconcile", "reconciliação"), ("full", "completa"), ("incremental", "incremental"), ("reprocess", "reprocesso"),
    ("manual", "manual"), ("running", "em execução"), ("succeeded", "concluída"), ("partial", "parcial"), ("failed", "falhou"),
    ("held", "retida"), ("cancelled", "cancelada"), ("webhook", "webhook"), ("schedule", "agenda"), ("catch_up", "recuperação"),
    ("person", "pessoa"), ("start", "início"), ("run", "execução"),
    // Failures.
    ("transient", "passageira"), ("auth", "acesso"), ("rejected", "recusada"), ("mapping", "mapeamento"), ("conflict", "conflito"),
    ("ambiguous", "ambíguo"), ("waiting", "aguardando"), ("uncertain", "incerta"), ("bug", "defeito"), ("receive", "recepção"),
    ("verify", "verificação"), ("decode", "leitura"), ("fetch", "busca"), ("match", "correspondência"), ("map", "conversão"),
    ("validate", "validação"), ("compare", "comparação"), ("write", "gravação"), ("link", "vínculo"), ("retrying", "tentando de novo"),
    ("open", "aberto"), ("parked", "estacionada"), ("resolved", "resolvido"), ("ignored", "ignorado"),
    // Events.
    ("received", "recebido"), ("queued", "na fila"), ("done", "feito"), ("created", "criado"), ("updated", "alterado"),
    ("deleted", "excluído"), ("merged", "unificado"), ("renamed", "renomeado"), ("reread", "reler"),
    // Links and decisions.
    ("linked", "vinculado"), ("pending_delete", "exclusão pendente"), ("ended", "encerrado"), ("delete", "excluir"),
    ("recreate", "recriar"), ("keep", "manter"), ("accepted", "aceita"),
    // Drift.
    ("in_sync", "em acordo"), ("differs", "difere"), ("unlinked_match", "par sem vínculo"), ("already_linked", "já vinculado"),
    ("absent", "ausente"), ("missing", "sumiu"), ("gone", "ambos sumiram"), ("filtered", "filtrado"),
    ("never_linked", "nunca vinculado"), ("event_missed", "evento perdido"), ("pending", "pendente"), ("unwatched", "sem vigilância"),
    ("event_failed", "evento falhou"), ("write_failed", "gravação falhou"), ("edited_on_wrong_side", "editado no lado errado"),
    ("mapping_changed", "mapeamento mudou"), ("unknown", "desconhecido"), ("reported", "relatado"), ("repaired", "reparado"),
    // Rules, systems, notices.
    ("active", "ativa"), ("ends_soon", "termina em breve"), ("removed", "removida"), ("requests_go", "requisições passam"),
    ("one_tries", "uma tenta"), ("nothing_is_sent", "nada é enviado"), ("drift", "divergência"), ("paused", "pausado"), ("unreachable", "inacessível"),
    ("secret_due", "segredo a vencer"), ("secret_overdue", "segredo vencido"), ("overdue", "atrasada"), 
    ("sent", "enviado"), ("dead", "desistido"), ("raised", "surgiu"), ("well", "normal"),
    // Mappings and people.
    ("healthy", "saudável"), ("unseen", "ainda não vista"), ("drifting", "divergindo"), ("failing", "falhando"), ("viewer", "leitor"), ("analyst", "analista"),
    ("operator", "operador"), ("admin", "administrador"), ("left", "esquerda"), ("right", "direita"),
    // Webhooks.
    ("incoming", "de entrada"), ("outgoing", "de saída"), ("signature", "assinatura"), ("events", "eventos"), ("fields", "campos"),
    ("delivery", "entrega"), ("rotation", "troca de segredos"),
    // What a run is at.
    ("links", "vínculos"), ("listing", "listagem"), ("comparing", "comparação"), ("repairing", "reparo"),
    ("reading_back", "conferência"), ("none", "sem acesso"), ("basic", "usuário e senha"), ("bearer", "token"), ("api_key", "chave de API"), ("oauth2", "OAuth 2.0"), ("oauth1", "OAuth 1.0a"), ("signed", "requisições assinadas"), ("session", "sessão"), ("database", "banco de dados"), ("intended", "pretendida"),
    // Verdicts of a plan.
    ("equal", "igual"), ("kept", "mantido"), ("write_both", "gravar nos dois"), ("report", "relatar"), ("create", "criar"),
    ("update", "alterar"), ("put", "vincular"), ("mark_missing", "marcar como sumido"), ("end", "encerrar"),
];

/// A word of the product in Portuguese.
pub fn portuguese(name: &str) -> Option<&'static str> {
    WORDS.iter().find(|(known, _)| *known == name).map(|(_, word)| *word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::status::*;

    #[test]
    fn every_status_has_its_word() {
        macro_rules! check {
            ($($name:ident),+) => {$(
                for value in $name::ALL {
                    assert!(portuguese(value.as_str()).is_some(), "`{value}` of {} has no word", stringify!($name));
                }
            )+};
        }
        check!(
            Side,
            RunKind,
            RunStatus,
            Trigger,
            FailureClass,
            Stage,
            FailureStatus,
            EventStatus,
            EventKind,
            WriteKind,
            LinkStatus,
            MissingDecision,
            SuggestionStatus,
            ConflictStatus,
            Situation,
            Cause,
            DriftOutcome,
            Role,
            NoticeCondition,
            NoticeState,
            DeliveryStatus
        );
    }

    #[test]
    fn no_word_stands_twice() {
        for (index, (name, _)) in WORDS.iter().enumerate() {
            assert!(WORDS.iter().skip(index + 1).all(|(other, _)| other != name), "{name}");
        }
    }
}
