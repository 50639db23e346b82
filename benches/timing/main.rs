//! Whether the time of a refusal tells how far a forged signature or secret was right: `cargo bench --bench timing`.
//!
//! As in Reparaz, Balasch and Verbauwhede, "Dude, is my code constant time?" (2017): two kinds of forgeries, one wrong in its first
//! byte and one in its last, come in a random order; if Welch's t of their times stays below 4.5, nothing can be told apart. The last
//! row compares byte by byte up to the first difference, as nobody should: what the table says is worth something only if it stands out.
#![expect(clippy::print_stdout, reason = "a program that prints a table")]
#![expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "times are far from where floating point loses anything that matters"
)]

use std::{hint::black_box, process::ExitCode, time::Instant};

use anyhow::{Context as _, Result, ensure};
use clap::Parser as _;
use hmac::{Hmac, KeyInit as _, Mac as _};
use syncline::core::{
    problem::Problems,
    webhook::{
        Incoming, Secret,
        event::{Definition, form::WebhooksForm},
        verify,
    },
};

/// Measure whether the time of a refusal tells anything
#[derive(Debug, clap::Parser)]
struct Args {
    /// Forgeries of each kind
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(1_000..))]
    samples: u32,
    /// Passed by cargo
    #[arg(long, hide = true)]
    bench: bool,
}

/// From here on two kinds of times are told apart.
const TOLD_APART: f64 = 4.5;

/// Of the slowest times so many are left out, since they tell of the machine: one in …
const LEFT_OUT: usize = 10;

/// What is forged: its name, the recipe, the secret, and the header that a holder of the secret would send.
struct Case {
    name: &'static str,
    recipe: &'static str,
    secret: &'static str,
    header: (&'static str, String),
}

const KEY: &str = "0123456789abcdef0123456789abcdef";
const BODY: &[u8] = br#"{"id":1}"#;

fn cases() -> Result<Vec<Case>> {
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(KEY.as_bytes())?;
    mac.update(BODY);
    Ok(vec![
        Case {
            name: "HMAC-SHA256 in hex",
            recipe: r#"{"hmac": "sha256", "header": "s"}"#,
            secret: KEY,
            header: ("s", hex::encode(mac.finalize().into_bytes())),
        },
        Case {
            name: "a secret in a header",
            recipe: r#"{"shared_secret": {"header": "s"}}"#,
            secret: KEY,
            header: ("s", KEY.to_owned()),
        },
    ])
}

fn main() -> Result<ExitCode> {
    let args = Args::parse();
    println!(
        "{:<24} {:>10} {:>12} {:>12} {:>8}",
        "", "samples", "first, ns", "last, ns", "|t|"
    );
    let mut is_told = false;
    for case in cases()? {
        let told = refusals(&case, args.samples)?;
        told.print(case.name);
        is_told |= told.t >= TOLD_APART;
    }
    let control = byte_by_byte(args.samples)?;
    control.print("byte by byte (control)");
    ensure!(
        control.t >= TOLD_APART,
        "the control is not seen: take more samples on a quieter machine"
    );
    if is_told {
        println!("first and last are told apart");
    }
    Ok(if is_told { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Measures refusals of a verified request.
fn refusals(case: &Case, samples: u32) -> Result<Told> {
    let text = format!(
        r#"{{"verify": {}, "events": "{{{{ body }}}}", "object": "x"}}"#,
        case.recipe
    );
    let form: WebhooksForm = serde_json::from_str(&text)?;
    let objects = std::iter::once("x").collect();
    let definition = Definition::compile(&form, "", &objects, &mut Problems::new()).context("the recipe")?;
    let secrets = [Secret::parse(definition.recipe(), &case.secret.into())?];
    let now = chrono::DateTime::UNIX_EPOCH;
    let (name, value) = &case.header;
    let is_refused = |value: &str| {
        let headers = [(*name, value.as_bytes())];
        let incoming = Incoming {
            method: "POST",
            url: "",
            headers: &headers,
            body: BODY,
        };
        verify(definition.recipe(), &secrets, &incoming, now).is_err()
    };
    ensure!(!is_refused(value), "{} is refused unforged", case.name);
    let forged = [forged(value, 0), forged(value, value.len() - 1)];
    ensure!(forged.iter().all(|value| is_refused(value)), "{} is let in", case.name);
    compare(samples, |kind| {
        is_refused(black_box(if kind { &forged[1] } else { &forged[0] }))
    })
}

/// The text with another hexadecimal digit at `at`.
fn forged(text: &str, at: usize) -> String {
    let digit = |byte: u8| if byte == b'0' { '1' } else { '0' };
    text.bytes()
        .enumerate()
        .map(|(place, byte)| if place == at { digit(byte) } else { char::from(byte) })
        .collect()
}

/// What a comparison that ends at the first difference tells.
fn byte_by_byte(samples: u32) -> Result<Told> {
    let secret = KEY.repeat(2);
    let forged = [0, secret.len() - 1].map(|at| forged(&secret, at));
    compare(samples, |kind| {
        let [first, last] = &forged;
        let other = black_box(if kind { last } else { first });
        secret
            .bytes()
            .zip(other.bytes())
            .any(|(one, other)| black_box(one) != other)
    })
}

/// The mean times of both kinds, and Welch's t between them.
struct Told {
    samples: u32,
    means: [f64; 2],
    t: f64,
}

impl Told {
    fn print(&self, name: &str) {
        let [first, last] = self.means;
        println!(
            "{name:<24} {:>10} {first:>12.1} {last:>12.1} {:>8.2}",
            self.samples, self.t
        );
    }
}

fn compare(samples: u32, is_refused: impl Fn(bool) -> bool) -> Result<Told> {
    let count = samples as usize;
    let mut times = [Vec::with_capacity(count), Vec::with_capacity(count)];
    // Warm caches and branches tell nothing about what is compared.
    for warm in 0..10_000 {
        black_box(is_refused(warm % 2 == 0));
    }
    while times.iter().any(|kind| kind.len() < count) {
        let kind: bool = rand::random();
        let before = Instant::now();
        let refused = black_box(is_refused(kind));
        let took = before.elapsed();
        ensure!(refused, "a forgery is let in");
        if let Some(times) = times.get_mut(usize::from(kind)).filter(|times| times.len() < count) {
            times.push(took.as_nanos() as u64);
        }
    }
    let mut all: Vec<u64> = times.iter().flatten().copied().collect();
    all.sort_unstable();
    let slowest = all
        .get(all.len() - all.len() / LEFT_OUT - 1)
        .copied()
        .unwrap_or(u64::MAX);
    let [first, last] = times.map(|kind| moments(kind.into_iter().filter(|took| *took <= slowest)));
    let error = (first.variance / first.count + last.variance / last.count).sqrt();
    Ok(Told {
        samples,
        means: [first.mean, last.mean],
        t: (first.mean - last.mean).abs() / error,
    })
}

struct Moments {
    count: f64,
    mean: f64,
    variance: f64,
}

fn moments(times: impl Iterator<Item = u64>) -> Moments {
    let times: Vec<f64> = times.map(|took| took as f64).collect();
    let count = times.len() as f64;
    let mean = times.iter().sum::<f64>() / count;
    let variance = times.iter().map(|took| (took - mean).powi(2)).sum::<f64>() / (count - 1.0);
    Moments { count, mean, variance }
}
