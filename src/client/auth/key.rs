//! Private keys and certificates in PEM: to sign an assertion, and to show on a connection.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use rustls::{
    InconsistentKeys, SignatureScheme,
    crypto::ring::sign::any_supported_type,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    sign::CertifiedKey,
};

use super::der;
use crate::core::connector::form::JwtAlgorithm;

/// Why a key or certificate cannot be used. No part of it is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(in crate::client) enum KeyError {
    #[error("the private key is no PEM text of a key (`-----BEGIN PRIVATE KEY-----`)")]
    NotKey,
    #[error("the private key is of a kind that cannot be used: RSA from 2048 bits on and ECDSA P-256 can")]
    Unusable,
    #[error("the private key does not fit the algorithm {0}")]
    Unfit(&'static str),
    #[error("the certificate is no PEM text of a certificate (`-----BEGIN CERTIFICATE-----`)")]
    NotCertificate,
    #[error("the private key is not that of the certificate")]
    Mismatch,
}

/// What a connection shows.
pub(in crate::client) struct Identity {
    pub(in crate::client) certificates: Vec<CertificateDer<'static>>,
    pub(in crate::client) key: PrivateKeyDer<'static>,
}

impl Identity {
    pub(in crate::client) fn read(certificate: &str, key: &str) -> Result<Self, KeyError> {
        let certificates = CertificateDer::pem_slice_iter(unfolded(certificate).as_bytes())
            .collect::<Result<Vec<_>, _>>()
            .map_err(|_| KeyError::NotCertificate)?;
        if certificates.is_empty() {
            return Err(KeyError::NotCertificate);
        }
        let key = private_key(key)?;
        let signing = any_supported_type(&key).map_err(|_| KeyError::Unusable)?;
        let pair = CertifiedKey::new(certificates.clone(), signing);
        if matches!(
            pair.keys_match(),
            Err(rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch))
        ) {
            return Err(KeyError::Mismatch);
        }
        Ok(Self { certificates, key })
    }

    /// When the certificate ends.
    pub(in crate::client) fn ends_at(&self) -> Option<DateTime<Utc>> {
        self.certificates
            .first()
            .and_then(|certificate| der::ends_at(certificate))
    }
}

/// An assertion with its signature.
pub(super) fn signed(unsigned: &str, algorithm: JwtAlgorithm, key: &str) -> Result<String, KeyError> {
    let key = any_supported_type(&private_key(key)?).map_err(|_| KeyError::Unusable)?;
    let scheme = match algorithm {
        JwtAlgorithm::RS256 => SignatureScheme::RSA_PKCS1_SHA256,
        JwtAlgorithm::PS256 => SignatureScheme::RSA_PSS_SHA256,
        JwtAlgorithm::ES256 => SignatureScheme::ECDSA_NISTP256_SHA256,
    };
    let unfit = KeyError::Unfit(algorithm.as_str());
    let signer = key.choose_scheme(&[scheme]).ok_or(unfit)?;
    let signature = signer.sign(unsigned.as_bytes()).map_err(|_| unfit)?;
    let signature = match algorithm {
        JwtAlgorithm::ES256 => der::fixed_signature(&signature).ok_or(unfit)?.to_vec(),
        JwtAlgorithm::RS256 | JwtAlgorithm::PS256 => signature,
    };
    Ok(format!("{unsigned}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature)))
}

fn private_key(text: &str) -> Result<PrivateKeyDer<'static>, KeyError> {
    PrivateKeyDer::from_pem_slice(unfolded(text).as_bytes()).map_err(|_| KeyError::NotKey)
}

/// A variable of the environment often holds a PEM text in one line, with `\n` in place of the ends of lines.
fn unfolded(text: &str) -> String {
    text.replace("\\n", "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    const RSA: &str = include_str!("../../../tests/it/client/pem/rsa.pem");
    const EC: &str = include_str!("../../../tests/it/client/pem/ec.pem");
    /// The public point of `EC`, as `openssl ec -pubout` gives it.
    const POINT: &str = "0422ce8e0514bf28c2428f5ae37ffd51ed2cae43cbf5036d23ea1bcd0a67a1989dda774619f27ba4cd0efaa0aada8c315cc378655acfa0c47a8d9894658ce779b1";

    #[test]
    fn rs256_is_what_openssl_signs() {
        let expected = "MaRHnTHd3dyyVMBmpfn_QrHvIUZmdNcdN6t2idnR5FEoPtVu5UX9TkR_PXWjcvomdr8dKiWeq3HqgrrgJ6yD-uZPnLoahV_OaftkFBSXGXy756JeAVYAoNIqXOR-GDy1-WTpQjSP9NZ_ppOXt77jcKvIvr75Znjz4tQ1m7hXIC6iFzL1UGUdsUK5z_J6H_yC4LE2EAHdhdC6NRraf4fyGU1EUFqYdvYZldzqtLjbyjDraj9EgNqm0_yBICZy0zt1YVMqkQFXOB43tRtqO7p_QWFpAUHTvcZCU8No519JmCD1cgJAwiWLeGWN80v7Uw5GvTnN_wn2B0maE6cK8c-NWw";
        let signed = signed("header.claims", JwtAlgorithm::RS256, RSA).unwrap();
        assert_eq!(signed, format!("header.claims.{expected}"));
    }

    #[test]
    fn es256_gives_two_numbers_that_the_public_key_verifies() {
        let signed = signed("header.claims", JwtAlgorithm::ES256, EC).unwrap();
        let signature = BASE64_URL_SAFE_NO_PAD
            .decode(signed.rsplit('.').next().unwrap())
            .unwrap();
        let (r, s) = signature.split_at(32);
        // Back to the form that certificates use, which is what can be verified here.
        let number = |digits: &[u8]| {
            let mut der = vec![0];
            der.extend(digits);
            let start = der.iter().position(|byte| *byte != 0).unwrap();
            let start = if der[start] >= 0x80 { start - 1 } else { start };
            let digits = der.split_off(start);
            [vec![2, u8::try_from(digits.len()).unwrap()], digits].concat()
        };
        let numbers = [number(r), number(s)].concat();
        let der = [vec![0x30, u8::try_from(numbers.len()).unwrap()], numbers].concat();
        let verifiers = rustls::crypto::ring::default_provider().signature_verification_algorithms;
        let (_, verifiers) = verifiers
            .mapping
            .iter()
            .find(|(scheme, _)| *scheme == SignatureScheme::ECDSA_NISTP256_SHA256)
            .unwrap();
        let point = hex::decode(POINT).unwrap();
        assert!(
            verifiers
                .iter()
                .any(|one| one.verify_signature(&point, b"header.claims", &der).is_ok())
        );
    }
}
