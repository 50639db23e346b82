//! Any bytes of a stored record are read or refused; what is read is the same to the variant when it is packed again.
#![no_main]

use syncline::core::value::{
    Value,
    json::{Limits, parse},
    packed::{pack, unpack},
};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Some(map) = unpack(bytes) {
        let mut again = Vec::new();
        pack(&map, &mut again);
        assert_eq!(unpack(&again).as_ref(), Some(&map));
    }
    let limits = Limits { depth: 32, nodes: 10_000, ..Limits::default() };
    if let Ok(Value::Map(map)) = parse(bytes, &limits) {
        let mut packed = Vec::new();
        pack(&map, &mut packed);
        assert_eq!(unpack(&packed).as_ref(), Some(&map));
        // What was cut off or has more behind it is not taken for the record.
        assert_eq!(unpack(&packed[..packed.len() - 1]), None);
        packed.push(0);
        assert_eq!(unpack(&packed), None);
    }
});
