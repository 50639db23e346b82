//! Any connector file is compiled or refused with a reason.
#![no_main]

use syncline::{
    catalog::{decode::decode, yaml::Document},
    core::{
        connector::{Connector, form::ConnectorForm},
        problem::Problems,
    },
};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Ok(tree) = Document::read(bytes).body else { return };
    let mut problems = Problems::new();
    let Some(form) = decode::<ConnectorForm>(&tree, &mut problems) else {
        assert!(problems.has_errors());
        return;
    };
    let mut problems = Problems::new();
    let connector = Connector::compile(&form, &mut problems);
    assert_eq!(connector.is_none(), problems.has_errors(), "{problems:?}");
});
