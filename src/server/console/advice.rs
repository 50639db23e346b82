//! What causes and situations mean and what to do about them, in both languages; English is that of the reports.

use super::language::Language;
use crate::{
    core::status::{Cause, Situation},
    report::words,
};

/// What a cause means.
pub fn cause(cause: Cause, language: Language) -> &'static str {
    if language == Language::English {
        return words::cause(cause);
    }
    match cause {
        Cause::NeverLinked => "os registros nunca foram vinculados",
        Cause::EventMissed => "o registro mudou e nenhum webhook avisou",
        Cause::Pending => "já se sabe, e ainda não foi processado",
        Cause::Unwatched => "mudou em um sistema que não avisa nem é consultado",
        Cause::EventFailed => "um webhook avisou da mudança, e o processamento falhou",
        Cause::WriteFailed => "o outro sistema não aceitou a mudança",
        Cause::Conflict => "os dois lados mudaram o mesmo campo",
        Cause::EditedOnWrongSide => "mudou no lado que não pode prevalecer",
        Cause::MappingChanged => "a definição do campo no mapeamento mudou",
        Cause::Deleted => "o registro foi excluído em um lado",
        Cause::Filtered => "o registro não passa mais pelo filtro",
        Cause::Unknown => "nada registrado explica",
    }
}

/// What to do about a cause.
pub fn next_step(cause: Cause, language: Language) -> &'static str {
    if language == Language::English {
        return english(cause);
    }
    match cause {
        Cause::NeverLinked => {
            "deixe a reconciliação vincular ou criar; onde vários coincidem, vincule o par certo com `syncline links import`"
        }
        Cause::EventMissed => {
            "a reconciliação repara; se acontece com frequência, veja a assinatura de webhooks de quem envia e o log dele"
        }
        Cause::Pending => "nada: será processado em breve; se continuar, veja `syncline doctor` e a fila",
        Cause::Unwatched => "a reconciliação repara; para ver essas mudanças antes, use webhooks ou `poll:`",
        Cause::EventFailed => "leia a falha, corrija o registro ou o mapeamento e reprocesse",
        Cause::WriteFailed => "leia a falha, corrija o valor indicado e reprocesse",
        Cause::Conflict => "decida em Conflitos, ou deixe o mapeamento decidir com `conflict:`",
        Cause::EditedOnWrongSide => "avise quem edita lá, ou deixe o campo ir nos dois sentidos com `direction: both`",
        Cause::MappingChanged => "compare os valores; a próxima reconciliação resolve conforme `prefer:`",
        Cause::Deleted => "decida em Exclusões pendentes, ou defina em `situations: missing:`",
        Cause::Filtered => "nada, se for intencional; senão corrija `filter:` ou o registro",
        Cause::Unknown => "veja a história completa do registro",
    }
}

/// What to do, as reports say it, for somebody who has a page before them; none where it is said about no cause.
pub fn step(said: &str, language: Language) -> Option<&'static str> {
    let cause = Cause::ALL.iter().find(|cause| words::next_step(**cause) == said)?;
    Some(next_step(*cause, language))
}

/// What to do about a cause, for somebody who has a page before them and no command line.
const fn english(cause: Cause) -> &'static str {
    match cause {
        Cause::EventFailed => "read the failure, correct the record or the mapping, then reprocess it",
        Cause::WriteFailed => "read the failure: correct the value it names, then reprocess it",
        Cause::Conflict => "decide under Conflicts, or let the mapping decide with `conflict:`",
        Cause::Deleted => "decide under Pending deletes, or say what is to happen under `situations: missing:`",
        Cause::Unknown => "look at the record's story",
        cause => words::next_step(cause),
    }
}

/// What a situation means.
pub fn situation(situation: Situation, language: Language) -> &'static str {
    if language == Language::English {
        return words::situation(situation);
    }
    match situation {
        Situation::InSync => "vinculados, e todos os campos mapeados concordam",
        Situation::Differs => "vinculados, e pelo menos um campo mapeado difere",
        Situation::UnlinkedMatch => "ainda sem vínculo, e exatamente um par coincide",
        Situation::Ambiguous => "sem vínculo, e vários pares coincidem",
        Situation::AlreadyLinked => "sem vínculo, e o único par pertence a outro vínculo",
        Situation::Absent => "sem vínculo, e o outro sistema não tem par",
        Situation::Missing => "vinculados, e o registro de um lado sumiu",
        Situation::Gone => "vinculados, e os dois registros sumiram",
        Situation::Filtered => "vinculados, e não passam mais pelo filtro do mapeamento",
        Situation::Waiting => "precisa antes de um vínculo de outro mapeamento",
    }
}
