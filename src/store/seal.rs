//! Sealing of columns at rest: XChaCha20-Poly1305, bound to table, row and column.
//!
//! A sealed value that is copied to another row or column does not open there. Form: one version byte, a nonce of
//! 24 bytes, the ciphertext with its tag.

use chacha20poly1305::{
    KeyInit as _, XChaCha20Poly1305, XNonce,
    aead::{Aead as _, Payload},
};

use super::{error::Error, key::Keys};

const VERSION: u8 = 1;
const NONCE_BYTES: usize = 24;

/// Where a sealed value stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    pub table: &'static str,
    pub column: &'static str,
    /// What names the row: its natural key, since the id is not known before the insert.
    pub row: &'a str,
}

impl Place<'_> {
    fn associated(&self) -> Vec<u8> {
        // Lengths first, so that no two places spell alike.
        let mut out = Vec::with_capacity(self.table.len() + self.column.len() + self.row.len() + 24);
        for part in [self.table, self.column, self.row] {
            out.extend_from_slice(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            out.extend_from_slice(part.as_bytes());
        }
        out
    }

    fn unsealed(&self) -> Error {
        Error::Unsealed {
            table: self.table,
            column: self.column,
            row: self.row.chars().take(100).collect(),
        }
    }
}

/// Seals and opens values.
#[derive(Clone)]
pub(super) struct Sealer(XChaCha20Poly1305);

impl Sealer {
    pub fn new(keys: &Keys) -> Self {
        Self(XChaCha20Poly1305::new(keys.sealing().into()))
    }

    pub fn seal(&self, place: Place<'_>, plain: &[u8]) -> Result<Vec<u8>, Error> {
        let nonce = rand::random::<[u8; NONCE_BYTES]>();
        let payload = Payload {
            msg: plain,
            aad: &place.associated(),
        };
        let cipher = self
            .0
            .encrypt(&XNonce::from(nonce), payload)
            .map_err(|_| place.unsealed())?;
        let mut out = Vec::with_capacity(1 + NONCE_BYTES + cipher.len());
        out.push(VERSION);
        out.extend_from_slice(&nonce);
        out.extend_from_slice(&cipher);
        Ok(out)
    }

    pub fn open(&self, place: Place<'_>, sealed: &[u8]) -> Result<Vec<u8>, Error> {
        let opened = match sealed.split_first() {
            Some((&VERSION, rest)) => rest.split_first_chunk::<NONCE_BYTES>().and_then(|(nonce, cipher)| {
                let payload = Payload {
                    msg: cipher,
                    aad: &place.associated(),
                };
                self.0.decrypt(&XNonce::from(*nonce), payload).ok()
            }),
            _ => None,
        };
        opened.ok_or_else(|| place.unsealed())
    }

    pub fn seal_text(&self, place: Place<'_>, plain: Option<&str>) -> Result<Option<Vec<u8>>, Error> {
        plain.map(|text| self.seal(place, text.as_bytes())).transpose()
    }

    pub fn open_text(&self, place: Place<'_>, sealed: Option<&[u8]>) -> Result<Option<String>, Error> {
        sealed
            .map(|bytes| String::from_utf8(self.open(place, bytes)?).map_err(|_| place.unsealed()))
            .transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: Place<'_> = Place {
        table: "token",
        column: "sealed",
        row: "crm",
    };

    #[test]
    fn a_sealed_value_opens_only_where_it_was_sealed() {
        let sealer = Sealer::new(&Keys::derive(&[1; 32]));
        let sealed = sealer.seal(HERE, b"secret").unwrap();
        assert_eq!(sealer.open(HERE, &sealed).unwrap(), b"secret");
        let elsewhere = Place { row: "erp", ..HERE };
        assert!(matches!(sealer.open(elsewhere, &sealed), Err(Error::Unsealed { .. })));
        let other = Sealer::new(&Keys::derive(&[2; 32]));
        assert!(other.open(HERE, &sealed).is_err());
    }

    #[test]
    fn a_changed_or_cut_value_does_not_open() {
        let sealer = Sealer::new(&Keys::derive(&[1; 32]));
        let sealed = sealer.seal(HERE, b"secret").unwrap();
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(sealer.open(HERE, &changed).is_err(), "byte {at}");
            assert!(sealer.open(HERE, &sealed[..at]).is_err(), "cut at {at}");
        }
    }
}
