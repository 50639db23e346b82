//! Any mapping file is compiled or refused with a reason.
#![no_main]

use syncline::{
    catalog::{decode::decode, yaml::Document},
    core::{
        mapping::{Mapping, form::MappingForm, known::Known},
        problem::Problems,
    },
};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Ok(tree) = Document::read(bytes).body else { return };
    let mut problems = Problems::new();
    let Some(form) = decode::<MappingForm>(&tree, &mut problems) else {
        assert!(problems.has_errors());
        return;
    };
    let mut problems = Problems::new();
    let mapping = Mapping::compile(&form, &Known::default(), &mut problems);
    assert_eq!(mapping.is_none(), problems.has_errors(), "{problems:?}");
});
