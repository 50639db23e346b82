//! Signatures against another implementation: `hmac` of Python signs, we verify.

use std::{
    io::{BufRead as _, BufReader},
    process::{Command, Stdio},
};

use chrono::DateTime;
use serde_json::json;
use syncline::core::{
    problem::Problems,
    webhook::{Incoming, Recipe, Secret, form::VerifyForm, verify},
};

use crate::support::rig::{Budget, report};

/// Signs bodies of chance by secrets of chance, a line each: secret, time, body and code in hex, and whether the code is spoilt.
const SIGNER: &str = r"
import hashlib, hmac, random, sys
count, seed = int(sys.argv[1]), int(sys.argv[2])
chance = random.Random(seed)
sizes = [0, 1, 7, 31, 55, 56, 63, 64, 65, 119, 128, 1000, 5000]
for number in range(count):
    secret = bytes(33 + chance.randrange(94) for _ in range(1 + chance.randrange(160)))
    size = (2 << 20) if number == 3 else chance.choice(sizes)
    body = chance.randbytes(size)
    time = chance.randrange(1, 1 << 33)
    code = hmac.new(secret, str(time).encode() + b'.' + body, hashlib.sha256).digest()
    spoilt = chance.randrange(4) == 0
    if spoilt:
        at = chance.randrange(256)
        code = bytearray(code)
        code[at // 8] ^= 1 << (at % 8)
    print(secret.hex(), time, body.hex() or '-', bytes(code).hex(), int(spoilt))
";

fn recipe() -> Recipe {
    let form: VerifyForm = serde_json::from_value(json!({
        "hmac": "sha256", "header": "X-Signature", "timestamp": "X-Time",
    }))
    .unwrap();
    let mut problems = Problems::new();
    let recipe = Recipe::compile(&form, "verify", &mut problems);
    recipe.unwrap_or_else(|| panic!("{:?}", problems.into_vec()))
}

#[test]
fn what_another_implementation_signs_is_verified_and_what_it_spoils_is_not() {
    let mut budget = Budget::new(2_000, 1_000_000);
    let count = if budget.is_nightly() { 1_000_000 } else { 2_000 };
    let recipe = recipe();
    let signer = Command::new("python3")
        .args([
            "-c",
            SIGNER,
            &format!("{count}"),
            &format!("{}", budget.chance().below(1 << 32)),
        ])
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn();
    let Ok(mut signer) = signer else {
        assert!(std::env::var_os("CI").is_none(), "Python 3 must be there in CI");
        report("skipped: install Python 3 to run this test");
        return;
    };
    let mut spoilt = 0;
    for line in BufReader::new(signer.stdout.take().unwrap()).lines() {
        if !budget.goes_on() {
            break;
        }
        let line = line.unwrap();
        let mut words = line.split(' ');
        let mut word = || words.next().unwrap();
        let (secret, time, body, code, is_spoilt) = (word(), word(), word(), word(), word());
        let body = hex::decode(body.trim_start_matches('-')).unwrap();
        let secret = String::from_utf8(hex::decode(secret).unwrap()).unwrap();
        let secret = Secret::parse(&recipe, &secret.into()).unwrap();
        let request = Incoming {
            method: "POST",
            url: "https://sync.example.com/webhooks/crm",
            headers: &[("X-Signature", code.as_bytes()), ("X-Time", time.as_bytes())],
            body: &body,
        };
        let now = DateTime::from_timestamp(time.parse().unwrap(), 0).unwrap();
        let is_verified = verify(&recipe, &[secret], &request, now).is_ok();
        assert_eq!(is_verified, is_spoilt == "0", "{line:.200}; {}", budget.replay());
        spoilt += u64::from(is_spoilt == "1");
    }
    // It may still be writing where the time was up.
    let _ = signer.kill();
    let _ = signer.wait();
    assert!(spoilt > 0);
    report(&format!(
        "{} signatures of another implementation, {spoilt} of them spoilt: 0 disagreements",
        budget.done()
    ));
}
