//! Names: of objects from collections, and texts as they can stand in templates.

/// A name as it is compared: letters and digits in lower case.
pub(super) fn folded(name: &str) -> String {
    let kept = name.chars().filter(|c| c.is_alphanumeric());
    kept.flat_map(char::to_lowercase).collect()
}

/// The words of a name: `salesOrder`, `sales-order` and `SalesOrder` are `sales` and `order`.
pub(super) fn words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut word = String::new();
    let mut was_upper = true;
    let chars: Vec<char> = name.chars().collect();
    for (index, c) in chars.iter().copied().enumerate() {
        let ends_acronym =
            c.is_uppercase() && was_upper && chars.get(index + 1).is_some_and(|next| next.is_lowercase());
        let is_edge = !c.is_alphanumeric() || (c.is_uppercase() && !was_upper) || ends_acronym;
        if is_edge && !word.is_empty() {
            words.push(std::mem::take(&mut word));
        }
        if c.is_alphanumeric() {
            word.extend(c.to_lowercase());
        }
        was_upper = c.is_uppercase() || !c.is_alphanumeric();
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

/// The name of an object whose collection has this name: `SalesOrders` is `sales_order`.
pub(super) fn object(collection: &str) -> String {
    let mut words = words(collection);
    if let Some(last) = words.last_mut() {
        *last = singular(last);
    }
    let name: String = words.join("_").chars().filter(char::is_ascii).take(60).collect();
    if name.starts_with(|c: char| c.is_ascii_alphabetic()) {
        name
    } else {
        format!("object_{name}").trim_end_matches('_').to_owned()
    }
}

/// One of what a word names several of.
pub(super) fn singular(word: &str) -> String {
    let cut = |end: &str, with: &str| word.strip_suffix(end).map(|stem| format!("{stem}{with}"));
    if word.len() < 4 || word.ends_with("ss") || word.ends_with("us") || word.ends_with("is") {
        return word.to_owned();
    }
    if word == "people" {
        return "person".to_owned();
    }
    cut("ies", "y")
        .or_else(|| cut("sses", "ss"))
        .or_else(|| cut("xes", "x"))
        .or_else(|| cut("ches", "ch"))
        .or_else(|| cut("shes", "sh"))
        .or_else(|| cut("statuses", "status"))
        .or_else(|| cut("s", ""))
        .unwrap_or_else(|| word.to_owned())
}

/// A title for people: `Sales orders`.
pub(super) fn title(collection: &str) -> String {
    let text = words(collection).join(" ");
    let mut chars = text.chars();
    chars
        .next()
        .map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

/// The name of a setting or credential: a word that templates can say.
pub(super) fn word(name: &str) -> String {
    let text: String = words(name).join("_").chars().filter(char::is_ascii).take(60).collect();
    if text.starts_with(|c: char| c.is_ascii_alphabetic()) {
        text
    } else {
        format!("x_{text}").trim_end_matches('_').to_owned()
    }
}

/// The name, or with a number behind it where it is taken.
pub(super) fn free(name: &str, is_free: impl Fn(&str) -> bool) -> String {
    const TRIES_MAX: u32 = 10_000;
    if is_free(name) {
        return name.to_owned();
    }
    let mut numbered = (2..TRIES_MAX).map(|number| format!("{name}_{number}"));
    numbered.find(|name| is_free(name)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_named_after_one_of_its_collection() {
        for (collection, name) in [
            ("customers", "customer"),
            ("SalesOrders", "sales_order"),
            ("sales-orders", "sales_order"),
            ("A_BusinessPartner", "a_business_partner"),
            ("companies", "company"),
            ("addresses", "address"),
            ("statuses", "status"),
            ("warehouses", "warehouse"),
            ("VATCodes", "vat_code"),
            ("people", "person"),
            ("news", "new"),
            ("2fa", "object_2fa"),
            ("状态", "object"),
        ] {
            assert_eq!(object(collection), name, "{collection}");
        }
    }
}
