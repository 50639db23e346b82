# The commands of this repository: `just` lists them.

[private]
default:
    @just --list

# Format, lints, licences, documentation and tests: what a change must pass.
check:
    cargo fmt --all --check
    cargo clippy --all-targets -- -D warnings
    cargo clippy --all-targets --features diesel -- -D warnings
    cargo deny check
    RUSTDOCFLAGS="-D warnings" cargo doc --no-deps --document-private-items
    cargo test

# The tests alone; with TEST_POSTGRES_URL the store is tested on PostgreSQL too.
test *arguments:
    cargo test {{ arguments }}

# Everything that the continuous integration does, on this machine.
ci:
    .ci/run

# Runs the rigs for longer, with a fresh seed: `just nightly 600` for ten minutes.
nightly *seconds:
    tests/nightly {{ seconds }}

# Feeds rubbish to one of the targets in fuzz/: `just fuzz json 3600` for an hour. Needs `cargo install cargo-fuzz`.
fuzz target seconds="60":
    cd fuzz && RUSTC_BOOTSTRAP=1 cargo fuzz run --sanitizer none {{ target }} -- -max_total_time={{ seconds }}

# Feeds ten million inputs to every target in fuzz/, and prints a table.
fuzz-all runs="10000000":
    fuzz/run {{ runs }}

# Measures the hot paths against floors of the same work: `just bench --quick`, `just bench --help`.
bench *arguments:
    cargo bench --bench speed -- {{ arguments }}

# Measures the pages of the console over a large store: `just bench-console --only sqlite`, `just bench-console --help`.
bench-console *arguments:
    cargo bench --bench console -- {{ arguments }}

# Looks whether the time of a refusal tells how far a forged signature or secret was right.
bench-timing *arguments:
    cargo bench --bench timing -- {{ arguments }}

# Starts a real system to try a connector on: tryton, cap-odata or oidc.
real system folder:
    tests/real/start-{{ system }} {{ folder }}
