//! Passwords: kept as Argon2id hashes, checked without telling whether there is such a person.

use std::sync::LazyLock;

use argon2::{
    Argon2,
    password_hash::{PasswordHasher as _, PasswordVerifier as _},
};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::{sync::Semaphore, task};

/// The fewest characters of a password.
pub const CHARS_MIN: usize = 12;
/// The most bytes of one.
pub const BYTES_MAX: usize = 256;

/// Each check takes 19 MiB and tens of milliseconds: a crowd waits for its turn instead of taking all of both.
static AT_ONCE: Semaphore = Semaphore::const_new(2);

/// What is checked where there is no such person or no password, so that this takes as long as a wrong password.
static NOBODY: LazyLock<Option<String>> = LazyLock::new(|| hashed("nobody has this password"));

/// Whether a text may be a password.
pub fn is_good(password: &str) -> bool {
    password.chars().count() >= CHARS_MIN && password.len() <= BYTES_MAX
}

/// The hash of a password; none only where the machine gives no random numbers.
pub async fn hash(password: SecretString) -> Option<String> {
    let _turn = AT_ONCE.acquire().await.ok()?;
    task::spawn_blocking(move || hashed(password.expose_secret()))
        .await
        .ok()
        .flatten()
}

/// Whether a password is the one of this hash; never, where there is none.
pub async fn is_right(password: SecretString, hash: Option<String>) -> bool {
    let Ok(_turn) = AT_ONCE.acquire().await else {
        return false;
    };
    let checked = task::spawn_blocking(move || {
        let password = password.expose_secret();
        let is_somebody = hash.is_some();
        let Some(hash) = hash.or_else(|| NOBODY.clone()) else {
            return false;
        };
        let fits = password.len() <= BYTES_MAX;
        fits && Argon2::default()
            .verify_password(password.as_bytes(), hash.as_str())
            .is_ok()
            && is_somebody
    });
    checked.await.unwrap_or(false)
}

fn hashed(password: &str) -> Option<String> {
    let hash = Argon2::default().hash_password(password.as_bytes()).ok()?;
    Some(hash.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_right_password_of_somebody_is_right() {
        let hash = hash("correct horse battery".into()).await;
        assert!(hash.as_ref().unwrap().starts_with("$argon2id$"));
        assert!(is_right("correct horse battery".into(), hash.clone()).await);
        assert!(!is_right("correct horse".into(), hash.clone()).await);
        assert!(!is_right("nobody has this password".into(), None).await);
        assert!(!is_right("x".into(), Some("no hash".into())).await);
    }

    #[test]
    fn short_and_endless_passwords_are_refused() {
        assert!(is_good("twelve chars"));
        assert!(!is_good("eleven char") && !is_good(&"x".repeat(BYTES_MAX + 1)));
    }
}
