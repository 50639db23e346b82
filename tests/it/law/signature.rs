//! Signatures against another implementation: `hmac` of Python signs, we verify.

use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
};

use chrono::DateTime;
use serde_json::json;
use syncline::core::{
    problem::Problems,
    webhook::{Incoming, Recipe, Secret, SecretError, form::VerifyForm, verify},
};

use crate::support::rig::{Budget, report};

/// Signs bodies of chance by secrets of chance, a line each: digest, form of the key, encoding of the code, secret, time (or
/// `-`), body and code in hex, and what was spoilt (or `-`).
const SIGNER: &str = r"
import base64, hashlib, hmac, random, sys
count, seed = int(sys.argv[1]), int(sys.argv[2])
chance = random.Random(seed)
sizes = [0, 1, 7, 31, 55, 56, 63, 64, 65, 111, 112, 119, 127, 128, 129, 1000, 5000]
lengths = [1, 2, 19, 20, 21, 31, 32, 33, 63, 64, 65, 127, 128, 129, 1000, 4096]
letters = [chr(code) for code in range(33, 127)] + list('\u00df\u20ac\u4e2d\U0001f600')
digests = ['sha1', 'sha256', 'sha512']
encodings = {
    'hex': bytes.hex,
    'base64': lambda code: base64.b64encode(code).decode(),
    'base64url': lambda code: base64.urlsafe_b64encode(code).decode(),
}
for number in range(count):
    digest = digests[number % 3]
    length = chance.choice(lengths) if chance.randrange(2) else 1 + chance.randrange(160)
    key = chance.randbytes(length)
    form = chance.choice(['utf8', 'hex', 'base64'])
    if form == 'utf8':
        secret = ''.join(chance.choices(letters, k=length))
        key = secret.encode()
    else:
        secret = key.hex() if form == 'hex' else base64.b64encode(key).decode()
    encoding = chance.choice(list(encodings))
    # Each digest once over a body as large as a webhook may be.
    body = chance.randbytes((2 << 20) if 3 <= number < 6 else chance.choice(sizes))
    time = chance.randrange(1, 1 << 33) if chance.randrange(2) else None
    spoilt = chance.choice(['-', '-', '-', 'bit', 'cut', 'long', 'body', 'key'] + (['time'] if time else []))
    signer = key + b'\x01' if spoilt == 'key' else key
    signed = body + b' ' if spoilt == 'body' else body
    if time is not None:
        signed = str(time + (spoilt == 'time')).encode() + b'.' + signed
    code = bytearray(hmac.new(signer, signed, getattr(hashlib, digest)).digest())
    if spoilt == 'bit':
        at = chance.randrange(8 * len(code))
        code[at // 8] ^= 1 << (at % 8)
    elif spoilt == 'cut':
        code = code[:chance.randrange(len(code))]
    elif spoilt == 'long':
        code += chance.randbytes(1 + chance.randrange(64))
    code = encodings[encoding](bytes(code)).encode()
    print(digest, form, encoding, secret.encode().hex(), time or '-', body.hex() or '-', code.hex() or '-', spoilt)
";

/// A line of the signer.
struct Signed<'a> {
    /// Digest, form of the key, encoding, and whether there is a time.
    recipe: (&'a str, &'a str, &'a str, bool),
    secret: String,
    time: &'a str,
    body: Vec<u8>,
    code: Vec<u8>,
    spoilt: &'a str,
}

impl<'a> Signed<'a> {
    fn read(line: &'a str) -> Self {
        let mut words = line.split(' ');
        let mut word = || words.next().unwrap();
        let bytes = |word: &str| hex::decode(word.trim_start_matches('-')).unwrap();
        let (digest, form, encoding, secret, time) = (word(), word(), word(), word(), word());
        Self {
            recipe: (digest, form, encoding, time != "-"),
            secret: String::from_utf8(bytes(secret)).unwrap(),
            time,
            body: bytes(word()),
            code: bytes(word()),
            spoilt: word(),
        }
    }

    fn is_verified(&self, recipe: &Recipe) -> bool {
        let secret = Secret::parse(recipe, &self.secret.as_str().into()).unwrap();
        let headers = [("X-Signature", &*self.code), ("X-Time", self.time.as_bytes())];
        let request = Incoming {
            method: "POST",
            url: "https://sync.example.com/webhooks/crm",
            headers: &headers,
            body: &self.body,
        };
        let now = DateTime::from_timestamp(self.time.parse().unwrap_or_default(), 0).unwrap();
        verify(recipe, &[secret], &request, now).is_ok()
    }
}

fn recipe((digest, form, encoding, has_time): (&str, &str, &str, bool)) -> Recipe {
    let mut said = json!({ "hmac": digest, "header": "X-Signature", "key": form, "encoding": encoding });
    if has_time {
        said["timestamp"] = json!("X-Time");
    }
    let form: VerifyForm = serde_json::from_value(said).unwrap();
    let mut problems = Problems::new();
    let recipe = Recipe::compile(&form, "verify", &mut problems);
    let recipe = recipe.unwrap_or_else(|| panic!("{:?}", problems.into_vec()));
    // The other implementation takes a key of no bytes; here it would be a system that anybody can sign for.
    assert_eq!(Secret::parse(&recipe, &"".into()).unwrap_err(), SecretError::Empty);
    recipe
}

/// The other implementation; none where it is not there.
fn signer(count: u64, seed: u64) -> Option<Child> {
    let started = Command::new("python3")
        .args(["-c", SIGNER, &count.to_string(), &seed.to_string()])
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn();
    if started.is_err() {
        assert!(std::env::var_os("CI").is_none(), "Python 3 must be there in CI");
        report("skipped: install Python 3 to run this test");
    }
    started.ok()
}

#[test]
fn what_another_implementation_signs_is_verified_and_what_it_spoils_is_not() {
    let mut budget = Budget::new(2_000, 1_000_000);
    let count = if budget.is_nightly() { 1_000_000 } else { 2_000 };
    let Some(mut signer) = signer(count, budget.chance().below(1 << 32)) else {
        return;
    };
    let (mut recipes, mut kinds) = (BTreeMap::new(), BTreeMap::<String, u64>::new());
    for line in BufReader::new(signer.stdout.take().unwrap()).lines() {
        if !budget.goes_on() {
            break;
        }
        let line = line.unwrap();
        let signed = Signed::read(&line);
        let (digest, form, encoding, has_time) = signed.recipe;
        let name = (digest.to_owned(), form.to_owned(), encoding.to_owned(), has_time);
        let recipe = recipes.entry(name).or_insert_with(|| recipe(signed.recipe));
        let is_verified = signed.is_verified(recipe);
        assert_eq!(is_verified, signed.spoilt == "-", "{line:.200}; {}", budget.replay());
        *kinds.entry(signed.spoilt.to_owned()).or_default() += 1;
    }
    // It may still be writing where the time was up.
    let _ = signer.kill();
    let _ = signer.wait();
    // Two thousand lines leave none of these out.
    assert_eq!((recipes.len(), kinds.len()), (54, 7), "{kinds:?}");
    let spoilt = budget.done() - kinds["-"];
    report(&format!(
        "{} signatures of another implementation by {} recipes, {spoilt} of them spoilt: 0 disagreements",
        budget.done(),
        recipes.len()
    ));
}
