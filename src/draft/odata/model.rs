//! `$metadata` as it was read: XML without a document type, within bounds.

use std::collections::BTreeMap;

use crate::{
    core::value::{
        json::Limits,
        xml::{self, Element, Namespaces},
    },
    draft::{Error, one_line, source::BYTES_MAX},
};

/// Types behind one another (`BaseType`).
const BASES_MAX: usize = 16;

/// A service.
#[derive(Debug, Default)]
pub(super) struct Model {
    is_v2: bool,
    pub(super) sets: Vec<Set>,
    /// Entity and complex types by their full name.
    types: BTreeMap<String, Entity>,
    /// The members of enumerations by their full name.
    pub(super) enums: BTreeMap<String, Vec<String>>,
    /// The target of each annotation with a truth value: what it is about, and its term.
    said: BTreeMap<(String, String), bool>,
    /// Namespaces by their short names.
    aliases: BTreeMap<String, String>,
}

/// A collection.
#[derive(Debug, Clone)]
pub(super) struct Set {
    pub(super) name: String,
    kind: String,
    /// The full name of the container, for annotations.
    container: String,
    attributes: Vec<(String, String)>,
}

/// A type with members.
#[derive(Debug, Clone, Default)]
pub(super) struct Entity {
    pub(super) name: String,
    base: Option<String>,
    pub(super) keys: Vec<String>,
    pub(super) properties: Vec<Property>,
}

/// A member.
#[derive(Debug, Clone, Default)]
pub(super) struct Property {
    pub(super) name: String,
    pub(super) kind: String,
    pub(super) is_nullable: bool,
    pub(super) has_default: bool,
    pub(super) scale: Option<u32>,
    /// It changes with every write, and a write has to carry it.
    pub(super) is_version: bool,
    pub(super) is_computed: bool,
    pub(super) is_immutable: bool,
}

fn attribute<'e>(element: &'e Element, name: &str) -> Option<&'e str> {
    element
        .attributes
        .iter()
        .find(|(own, _)| own == name)
        .map(|(_, value)| value.as_str())
}

fn children<'e>(element: &'e Element, name: &'e str) -> impl Iterator<Item = &'e Element> {
    element.children.iter().filter(move |child| child.name == name)
}

impl Model {
    pub(super) fn read(bytes: &[u8]) -> Result<Self, Error> {
        if bytes.len() > BYTES_MAX {
            return Err(Error::TooLarge { max: BYTES_MAX });
        }
        let limits = Limits {
            bytes: BYTES_MAX,
            ..Limits::default()
        };
        let root = xml::parse(bytes, &Namespaces::default(), &limits)
            .map_err(|error| Error::Unreadable(one_line(&error.to_string())))?;
        let services = || children(&root, "DataServices");
        if root.name != "Edmx" || services().next().is_none() {
            return Err(Error::Another {
                expected: "OData description (the XML of `$metadata`, with `edmx:Edmx` at its top)",
            });
        }
        let mut model = Self {
            is_v2: !attribute(&root, "Version").unwrap_or("4.0").starts_with('4'),
            ..Self::default()
        };
        for schema in services().flat_map(|services| children(services, "Schema")) {
            let namespace = attribute(schema, "Namespace").unwrap_or_default();
            if let Some(alias) = attribute(schema, "Alias") {
                model.aliases.insert(alias.to_owned(), namespace.to_owned());
            }
        }
        for schema in services().flat_map(|services| children(services, "Schema")) {
            model.schema(schema);
        }
        Ok(model)
    }

    pub(super) const fn is_v2(&self) -> bool {
        self.is_v2
    }

    /// A name with its namespace in full.
    fn full(&self, name: &str) -> String {
        match name.rsplit_once('.') {
            Some((alias, last)) => match self.aliases.get(alias) {
                Some(namespace) => format!("{namespace}.{last}"),
                None => name.to_owned(),
            },
            None => name.to_owned(),
        }
    }

    fn schema(&mut self, schema: &Element) {
        let namespace = attribute(schema, "Namespace").unwrap_or_default().to_owned();
        let full = |name: &str| format!("{namespace}.{name}");
        for child in &schema.children {
            let name = attribute(child, "Name").unwrap_or_default();
            match child.name.as_str() {
                "EntityType" | "ComplexType" => {
                    let entity = self.entity_type(child, &full(name));
                    self.types.insert(full(name), entity);
                }
                "EnumType" => {
                    let members = children(child, "Member").filter_map(|member| attribute(member, "Name"));
                    self.enums
                        .insert(full(name), members.take(12).map(str::to_owned).collect());
                }
                "EntityContainer" => self.container(child, &full(name)),
                "Annotations" => {
                    let target = self.target(attribute(child, "Target").unwrap_or_default());
                    self.annotations(child, &target);
                }
                _ => {}
            }
        }
    }

    /// The target of annotations: a full name, and what is behind it.
    fn target(&self, target: &str) -> String {
        match target.split_once('/') {
            Some((head, rest)) => format!("{}/{rest}", self.full(head)),
            None => self.full(target),
        }
    }

    fn annotations(&mut self, element: &Element, target: &str) {
        for annotation in children(element, "Annotation") {
            let term = attribute(annotation, "Term").unwrap_or_default();
            let term = term.rsplit('.').next().unwrap_or(term);
            if let Some(record) = annotation.children.iter().find(|child| child.name == "Record") {
                for value in children(record, "PropertyValue") {
                    if let (Some(name), Some(truth)) = (attribute(value, "Property"), truth(value)) {
                        self.said.insert((target.to_owned(), name.to_owned()), truth);
                    }
                }
                continue;
            }
            let is_said = match attribute(annotation, "EnumMember") {
                // The rights to a member: only to read it, or more.
                Some(member) => member.ends_with("/Read"),
                None => truth(annotation).unwrap_or(true),
            };
            self.said.insert((target.to_owned(), term.to_owned()), is_said);
        }
    }

    fn container(&mut self, container: &Element, name: &str) {
        for set in children(container, "EntitySet") {
            let own = attribute(set, "Name").unwrap_or_default();
            self.annotations(set, &format!("{name}/{own}"));
            self.sets.push(Set {
                name: own.to_owned(),
                kind: self.full(attribute(set, "EntityType").unwrap_or_default()),
                container: name.to_owned(),
                attributes: set.attributes.clone(),
            });
        }
    }

    fn entity_type(&mut self, element: &Element, full: &str) -> Entity {
        let keys = children(element, "Key")
            .flat_map(|key| children(key, "PropertyRef"))
            .filter_map(|key| attribute(key, "Name"));
        let keys = keys.map(str::to_owned).collect();
        let mut properties = Vec::new();
        for property in children(element, "Property") {
            let name = attribute(property, "Name").unwrap_or_default();
            self.annotations(property, &format!("{full}/{name}"));
            let is = |attribute_name: &str, value: &str| {
                attribute(property, attribute_name).is_some_and(|own| own.eq_ignore_ascii_case(value))
            };
            properties.push(Property {
                name: name.to_owned(),
                kind: attribute(property, "Type").unwrap_or("Edm.String").to_owned(),
                is_nullable: !is("Nullable", "false"),
                has_default: attribute(property, "DefaultValue").is_some(),
                scale: attribute(property, "Scale")
                    .and_then(|scale| scale.parse().ok())
                    .filter(|scale| *scale <= 12),
                is_version: is("ConcurrencyMode", "fixed"),
                is_computed: is("creatable", "false") && is("updatable", "false")
                    || is("StoreGeneratedPattern", "computed")
                    || is("StoreGeneratedPattern", "identity"),
                is_immutable: is("updatable", "false"),
            });
        }
        Entity {
            name: full.to_owned(),
            base: attribute(element, "BaseType").map(|base| self.full(base)),
            keys,
            properties,
        }
    }

    /// A type with everything that it has from those before it.
    fn whole(&self, name: &str) -> Option<Entity> {
        let mut whole = self.types.get(name)?.clone();
        let mut base = whole.base.clone();
        for _ in 0..BASES_MAX {
            let Some(below) = base.as_ref().and_then(|base| self.types.get(base)) else {
                break;
            };
            if whole.keys.is_empty() {
                whole.keys.clone_from(&below.keys);
            }
            let mut properties = below.properties.clone();
            self.annotate(&below.name, &mut properties);
            properties.append(&mut whole.properties);
            whole.properties = properties;
            base.clone_from(&below.base);
        }
        let own = whole.name.clone();
        self.annotate(&own, &mut whole.properties);
        Some(whole)
    }

    fn annotate(&self, name: &str, properties: &mut [Property]) {
        for property in properties {
            let says = |term: &str| {
                self.said
                    .get(&(format!("{name}/{}", property.name), term.to_owned()))
                    .copied()
            };
            property.is_computed |= says("Computed") == Some(true) || says("Permissions") == Some(true);
            property.is_immutable |= says("Immutable") == Some(true);
        }
    }

    /// The type of a set's records.
    pub(super) fn entity(&self, set: &Set) -> Option<Entity> {
        self.whole(&set.kind)
    }

    /// The members of a complex type.
    pub(super) fn complex(&self, kind: &str) -> Option<Entity> {
        self.whole(&self.full(kind)).filter(|entity| entity.keys.is_empty())
    }

    pub(super) fn options(&self, kind: &str) -> Option<&Vec<String>> {
        self.enums.get(&self.full(kind))
    }

    /// Whether something can be done with a set; yes where nothing is said.
    pub(super) fn allows(&self, set: &Set, restriction: &str, of_sap: &str) -> bool {
        let target = (format!("{}/{}", set.container, set.name), restriction.to_owned());
        let by_sap = set
            .attributes
            .iter()
            .find(|(name, _)| name == of_sap)
            .map(|(_, value)| value != "false");
        self.said.get(&target).copied().or(by_sap).unwrap_or(true)
    }

    /// Whether writes have to carry the version that was read.
    pub(super) fn is_guarded(&self, set: &Set, entity: &Entity) -> bool {
        let target = (
            format!("{}/{}", set.container, set.name),
            "OptimisticConcurrency".to_owned(),
        );
        self.said.contains_key(&target) || entity.properties.iter().any(|property| property.is_version)
    }
}

/// The truth value that an annotation says.
fn truth(element: &Element) -> Option<bool> {
    let text = attribute(element, "Bool").map(str::to_owned);
    let text = text.or_else(|| children(element, "Bool").next().map(|bool| bool.text.clone()));
    match text?.trim() {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    }
}
