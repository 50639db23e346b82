//! Legal forms at the end of a company's name.

use super::normalize::without_accents;

/// Legal forms without signs and spaces, in capital letters; sorted.
#[rustfmt::skip]
const FORMS: &[&str] = &[
    "AB", "ABP", "AE", "AG", "AGCOKG", "ANS", "APS", "AS", "ASA", "BHD", "BV", "BVBA", "CA", "CO", "COKG", "COLTD",
    "COMPANY", "CORP", "CORPORATION", "CV", "DA", "DAC", "DD", "DOO", "EG", "EHF", "EIRELI", "EIRELIEPP", "EIRELIME",
    "EK", "EKFM", "EKFR", "EMPRESAINDIVIDUAL", "ENK", "EOOD", "EPE", "EPP", "EURL", "EV", "GBR", "GESMBH", "GGMBH",
    "GIE", "GMBH", "GMBHCOKG", "GMBHCOKGAA", "GMBHCOOHG", "GMBHUNDCOKG", "HB", "HF", "INC", "INCORPORATED", "KB",
    "KDA", "KFT", "KG", "KGAA", "KK", "KS", "LDA", "LIMITADA", "LIMITED", "LLC", "LLLP", "LLP", "LP", "LTD", "LTDA",
    "LTDAEPP", "LTDAME", "LTDSTI", "LTEE", "MBH", "ME", "MEI", "NV", "NYRT", "OAO", "OEG", "OHG", "OO", "OOD", "OOO",
    "OU", "OY", "OYABP", "OYJ", "PAO", "PC", "PJSC", "PLC", "PLLC", "PTE", "PTELTD", "PTY", "PTYLTD", "PVT", "PVTLTD",
    "RT", "SA", "SAB", "SABDECV", "SADECV", "SAPA", "SAPI", "SAPIDECV", "SARL", "SARLU", "SAS", "SASU", "SC", "SCA",
    "SCP", "SCRL", "SCS", "SDNBHD", "SE", "SGPS", "SIA", "SL", "SLL", "SLNE", "SLU", "SNC", "SOCIEDADANONIMA",
    "SOCIEDADEANONIMA", "SPA", "SPJ", "SPK", "SPRL", "SPZOO", "SR", "SRL", "SRLS", "SRO", "SS", "STI", "TOV", "UAB",
    "UG", "UGCOKG", "UGHAFTUNGSBESCHRANKT", "UNIPESSOALLDA", "VOF", "ZAO", "ZRT",
];

/// The most words that a form has.
const WORDS_MAX: usize = 6;

/// The name without the legal forms at its end. A name that is nothing else stays as it is.
pub(super) fn without_form(text: &str) -> String {
    let mut words: Vec<&str> = text.split_whitespace().collect();
    loop {
        while words.len() > 1 && words.last().is_some_and(|word| letters(word).is_empty()) {
            words.pop();
        }
        let Some(kept) = cut(&words) else { break };
        words.truncate(kept);
    }
    let mut name = words.join(" ");
    let trimmed = name.trim_end_matches(|c: char| !c.is_alphanumeric() && c != ')').len();
    if trimmed > 0 {
        name.truncate(trimmed);
    }
    name
}

/// How many words are left without the longest form at their end.
fn cut(words: &[&str]) -> Option<usize> {
    (1..=WORDS_MAX.min(words.len().saturating_sub(1)))
        .rev()
        .find_map(|count| {
            let kept = words.len() - count;
            let (name, form) = words.split_at_checked(kept)?;
            let has_name = name.iter().any(|word| !letters(word).is_empty());
            let form: String = form.iter().map(|word| letters(word)).collect();
            (has_name && FORMS.binary_search(&form.as_str()).is_ok()).then_some(kept)
        })
}

/// The letters of a word in capitals, without accents; digits count as letters, so that `S4` is no form.
fn letters(word: &str) -> String {
    without_accents(word)
        .chars()
        .filter(|c| c.is_alphanumeric())
        .flat_map(char::to_uppercase)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_forms_stand_in_order_so_that_they_are_found() {
        assert!(FORMS.is_sorted());
    }

    #[test]
    fn a_legal_form_at_the_end_does_not_count_however_it_is_written() {
        for (name, left) in [
            ("Ana Comércio Ltda.", "Ana Comércio"),
            ("ANA COMÉRCIO LTDA - ME", "ANA COMÉRCIO"),
            ("Banco do Sul S/A", "Banco do Sul"),
            ("Banco do Sul S. A.", "Banco do Sul"),
            ("Zeder Druck GmbH & Co. KG", "Zeder Druck"),
            ("Zeder Druck gmbh", "Zeder Druck"),
            ("Acme, Inc.", "Acme"),
            ("Acme L.L.C.", "Acme"),
            ("Acme Pty. Ltd.", "Acme"),
            ("Kowalski Sp. z o.o.", "Kowalski"),
            ("Tienda S.A. de C.V.", "Tienda"),
            ("Les Frères Ltée", "Les Frères"),
            ("Volvo AB", "Volvo"),
            ("Kone Oyj", "Kone"),
            ("Jansen B.V.", "Jansen"),
            ("Dupont SARL", "Dupont"),
            ("Müller (Schweiz) AG", "Müller (Schweiz)"),
        ] {
            assert_eq!(without_form(name), left, "{name}");
        }
    }

    #[test]
    fn a_name_that_only_looks_like_a_form_stays() {
        for name in ["AB", "S.A", "SA Consulting", "Inca", "Colt", "Galaxy S4", ""] {
            assert_eq!(without_form(name), name, "{name}");
        }
    }
}
