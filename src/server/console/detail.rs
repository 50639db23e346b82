//! What is told in a refusal, in Portuguese: the texts of our own house, by pattern. What another system says stays as it is.

use super::{told::TOLD, word};

/// English, Portuguese; `{}` is what stands there, in both in the same order.
pub type Pattern = (&'static str, &'static str);

/// Refusals.
#[rustfmt::skip]
const DETAILS: &[Pattern] = &[
    // The door.
    ("sign in", "entre primeiro"),
    ("you have asked for a lot within a moment", "você pediu muita coisa em pouco tempo"),
    ("this needs the role `{}`, you have `{}`", "isto exige o papel `{}`, e o seu é `{}`"),
    ("this concerns the whole house, you have a limit to tenants: `{}`", "isto diz respeito à casa inteira, e o seu acesso é limitado aos inquilinos: `{}`"),
    ("the form is not one that this browser was given: load the page again", "o formulário não foi dado a este navegador: carregue a página de novo"),
    ("this address has sent too many wrong passwords", "este endereço enviou senhas erradas demais"),
    ("this address has sent too many wrong codes", "este endereço enviou códigos errados demais"),
    ("this address has tried too many links", "este endereço tentou links demais"),
    ("nobody signs in by a password here: the settings name an OpenID provider and no `local_users`", "ninguém entra com senha aqui: as configurações definem um provedor OpenID e nenhum `local_users`"),
    ("the settings name no OpenID provider: `[console.oidc]`", "as configurações não definem um provedor OpenID: `[console.oidc]`"),
    ("the link was used, is too old, or never was one: ask for another one", "o link já foi usado, venceu ou nunca existiu: peça outro"),
    ("the link was used a moment ago", "o link foi usado há um instante"),
    ("the pages speak `en` and `pt-BR`", "as páginas falam `en` e `pt-BR`"),
    ("the door was not passed", "a entrada não foi passada"),
    ("the form was not read", "o formulário não foi lido"),
    ("the page could not be made", "a página não pôde ser feita"),
    // What is asked for.
    ("there is no such file", "este arquivo não existe"),
    ("nothing is served at this path", "não há nada neste endereço"),
    ("the path names nothing that can be", "o endereço não nomeia nada possível"),
    ("an id is a whole number", "um id é um número inteiro"),
    ("the address is too long", "o endereço é longo demais"),
    ("too many pages are open at once: this one is not kept up to date", "há páginas abertas demais ao mesmo tempo: esta não é atualizada"),
    ("this page does not change by itself", "esta página não muda sozinha"),
    ("no system `{}` sends webhooks here", "nenhum sistema `{}` envia webhooks para cá"),
    ("no webhook is sent to a target `{}`", "nenhum webhook é enviado a um destino `{}`"),
    ("at most {} bytes are searched for", "a busca aceita no máximo {} bytes"),
    ("`limit` is from 1 to {}", "`limit` vai de 1 a {}"),
    ("`cursor` is none that a page of this list has given", "`cursor` não é de nenhuma página desta lista"),
    ("a pending delete is confirmed, kept, unlinked, or its record made again", "uma exclusão pendente é confirmada, mantida, desvinculada, ou o registro é recriado"),
    ("a decision has a `winner` or a `value`", "uma decisão tem `winner` ou `value`"),
    ("`winner` is `{}` or `{}`", "`winner` é `{}` ou `{}`"),
    ("`record_id` and `side` stand together", "`record_id` e `side` andam juntos"),
    ("`record_id` needs `mapping` and `side` beside it", "`record_id` exige `mapping` e `side` ao lado"),
    ("an id has from 1 to {} bytes, none of them invisible", "um id tem de 1 a {} bytes, nenhum deles invisível"),
    ("the sides of this mapping are `{}` and `{}`", "os lados deste mapeamento são `{}` e `{}`"),
    ("`{}` is no side of mapping `{}`", "`{}` não é lado do mapeamento `{}`"),
    ("a `reason` has from 3 to 500 characters", "um motivo tem de 3 a 500 caracteres"),
    // What there is, and how it stands.
    ("there is no such mapping", "este mapeamento não existe"),
    ("there is no mapping `{}`", "não há mapeamento `{}`"),
    ("there is no run {}", "não há execução {}"),
    ("there is no conflict {}", "não há conflito {}"),
    ("there is no event {}", "não há evento {}"),
    ("there is no failure {}", "não há falha {}"),
    ("there is no notice {}", "não há aviso {}"),
    ("there is no link {}", "não há vínculo {}"),
    ("there is no suggestion {}", "não há sugestão {}"),
    ("there is no pending delete {}", "não há exclusão pendente {}"),
    ("there is no ignore rule {}", "não há regra de exceção {}"),
    ("run {} has no drift report", "a execução {} não tem relatório de divergência"),
    ("run {} is not held: there is nothing to release or discard", "a execução {} não está retida: não há o que liberar ou descartar"),
    ("link {} is no pending delete", "o vínculo {} não é uma exclusão pendente"),
    ("event {} is `{}`: only an event with an error is worked on again", "o evento {} está `{}`: só um evento com erro é processado de novo"),
    ("event {} concerns nothing that a mapping has: no record, or an object without a mapping", "o evento {} não diz respeito a nenhum mapeamento: sem registro, ou objeto sem mapeamento"),
    ("`confirm` is {}, and now there are {}: look again, and confirm that number", "`confirm` é {}, e agora são {}: olhe de novo e confirme esse número"),
    ("no delivery of notice {} was given up", "nenhuma entrega do aviso {} foi abandonada"),
    ("nothing is on record about this record", "não há nada registrado sobre este registro"),
    ("{} is settled already", "{} já está decidido"),
    ("{} has changed since you looked: read it again, and decide about what it says now", "{} mudou desde que você olhou: leia de novo e decida sobre o que diz agora"),
    ("the store cannot serve this request now", "o banco de dados não pode atender agora"),
    ("the store failed; the log says more under this request id", "o banco de dados falhou; o log diz mais sob o id desta requisição"),
    ("the log says more under this request id", "o log diz mais sob o id desta requisição"),
];

/// A refusal in Portuguese, where it is one of ours.
pub fn portuguese(english: &str) -> Option<String> {
    said(DETAILS, english)
}

/// What is told of records, runs and decisions in Portuguese, where it is ours.
pub fn told(english: &str) -> Option<String> {
    said(TOLD, english)
}

fn said(patterns: &[Pattern], english: &str) -> Option<String> {
    patterns.iter().find_map(|(pattern, text)| {
        let mut found = within(pattern, english)?.into_iter();
        let mut said = String::new();
        let mut rest = *text;
        while let Some((before, after)) = rest.split_once('{') {
            let (kind, after) = after.split_once('}')?;
            said.push_str(before);
            let place = found.next()?;
            match kind {
                // A word that is none means that another pattern is meant.
                "w" => said.push_str(word::portuguese(place)?),
                "t" => said.push_str(&said_within(patterns, place)),
                _ => said.push_str(place),
            }
            rest = after;
        }
        said.push_str(rest);
        Some(said)
    })
}

/// A text within another one; what is not ours stays as it is.
fn said_within(patterns: &[Pattern], english: &str) -> String {
    let word = || word::portuguese(english).map(str::to_owned);
    said(patterns, english)
        .or_else(word)
        .unwrap_or_else(|| english.to_owned())
}

/// What stands in the places of a pattern, if a text is of it.
fn within<'a>(pattern: &str, text: &'a str) -> Option<Vec<&'a str>> {
    let mut parts = parts(pattern).into_iter().peekable();
    let mut rest = text.strip_prefix(parts.next()?)?;
    let mut found = Vec::new();
    while let Some(part) = parts.next() {
        let at = match (part.is_empty(), parts.peek().is_none()) {
            // The last place reaches to the end.
            (true, true) => rest.len(),
            (false, true) => rest.len().checked_sub(part.len()).filter(|_| rest.ends_with(part))?,
            _ => rest.find(part)?,
        };
        let (before, after) = rest.split_at_checked(at)?;
        found.push(before);
        rest = after.strip_prefix(part)?;
    }
    rest.is_empty().then_some(found)
}

/// What stands between the places of a pattern.
fn parts(pattern: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = pattern;
    while let Some((before, after)) = rest.split_once('{') {
        parts.push(before);
        rest = after.split_once('}').map_or("", |(_, after)| after);
    }
    parts.push(rest);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_of_ours_is_told_in_portuguese_with_what_stands_in_it() {
        let told = |english| portuguese(english).unwrap_or_default();
        assert_eq!(told("there is no run 7"), "não há execução 7");
        assert_eq!(
            told("this needs the role `admin`, you have `viewer`"),
            "isto exige o papel `admin`, e o seu é `viewer`"
        );
        assert_eq!(told("conflict 7 is settled already"), "conflict 7 já está decidido");
        for others in ["", "HTTP 500", "there is no spoon", "this needs the role `admin`"] {
            assert_eq!(portuguese(others), None, "{others}");
        }
    }

    #[test]
    fn what_is_told_of_a_record_is_told_in_portuguese_with_its_words() {
        for (english, portuguese) in [
            ("only erp changed", "só erp mudou"),
            (
                "report 17: `name` differs, event_missed: the record changed, and no webhook told of it; repaired in the same run",
                "relatório 17: `name` difere, evento perdido: o registro mudou e nenhum webhook avisou; reparado na mesma execução",
            ),
            (
                "report 17: absent, never_linked: the records were never linked; only reported",
                "relatório 17: ausente, nunca vinculado: os registros nunca foram vinculados; só relatado",
            ),
            (
                "erp told: customer updated; done",
                "erp avisou: customer alterado; feito",
            ),
            (
                "update ACC-7 in crm: succeeded (HTTP 200)",
                "alterar ACC-7 em crm: concluída (HTTP 200)",
            ),
            (
                "reconcile by schedule, succeeded",
                "reconciliação por agenda, concluída",
            ),
        ] {
            assert_eq!(told(english).as_deref(), Some(portuguese));
        }
        assert_eq!(
            told("INVALID_VAT in VatNumber"),
            None,
            "other systems' words stay theirs"
        );
    }

    #[test]
    fn every_reason_and_every_meaning_is_told_in_portuguese() {
        use crate::{
            core::status::{Cause, DriftOutcome},
            report::words,
        };
        for cause in Cause::ALL {
            assert!(told(words::cause(*cause)).is_some(), "{cause}");
        }
        for outcome in DriftOutcome::ALL {
            assert!(told(words::outcome(*outcome)).is_some(), "{outcome}");
        }
        let source = include_str!("../../core/diff/mod.rs");
        let describe = source.split("pub fn describe").nth(1).unwrap();
        let describe = describe.split("\n    }\n}").next().unwrap();
        let said = describe.split('"').skip(1).step_by(2);
        let mut count = 0;
        for said in said {
            assert!(
                told(&said.replace("{rule_id}", "7").replace("{}", "erp")).is_some(),
                "{said}"
            );
            count += 1;
        }
        assert!(count > 15, "they are found");
    }

    #[test]
    fn both_languages_have_the_same_places() {
        let places = |text: &str| -> Vec<String> {
            let places = text.split('{').skip(1).filter_map(|rest| rest.split_once('}'));
            places.map(|(kind, _)| kind.to_owned()).collect()
        };
        for (english, portuguese) in DETAILS.iter().chain(TOLD) {
            assert_eq!(places(english), places(portuguese), "{english}");
        }
    }

    #[test]
    fn every_refusal_that_the_console_words_itself_has_its_portuguese() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/server/console");
        let mut count = 0;
        for file in std::fs::read_dir(folder).unwrap() {
            let file = file.unwrap().path();
            if file.extension().is_none_or(|extension| extension != "rs") {
                continue;
            }
            let text = std::fs::read_to_string(&file).unwrap();
            // What tests look for in others is said by nobody.
            let text = text.split("#[cfg(test)]").next().unwrap();
            for rest in text.split("Problem::").skip(1) {
                // `Problem::not_found("…")`, across lines where it is long.
                let Some((_, rest)) = rest.split_once('(') else {
                    continue;
                };
                let Some(rest) = rest.trim_start().strip_prefix('"') else {
                    continue;
                };
                let said = rest.split('"').next().unwrap();
                assert!(portuguese(said).is_some(), "{}: `{said}`", file.display());
                count += 1;
            }
        }
        assert!(count > 12, "they are found");
    }
}
