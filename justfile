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

# Measures the hot paths against floors of the same work: `just bench --quick`, `just bench --help`.
bench *arguments:
    cargo bench --bench speed -- {{ arguments }}

# Starts a real system to try a connector on: tryton, cap-odata or oidc.
real system folder:
    tests/real/start-{{ system }} {{ folder }}
