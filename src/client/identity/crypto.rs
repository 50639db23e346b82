//! What `jsonwebtoken` computes with: the ring of our TLS. Its own choices are a library of C, or the `rsa` crate, which leaks.
//! Nothing is ever signed here.

use std::sync::OnceLock;

use jsonwebtoken::{
    Algorithm, AlgorithmFamily, DecodingKey, DecodingKeyKind, EncodingKey,
    crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils},
    errors::{ErrorKind, Result},
    signature::{Error, Verifier},
};
use ring::signature::{self, RsaPublicKeyComponents, UnparsedPublicKey, VerificationAlgorithm};

/// The signatures that count, best known first. A key that is a secret of both sides signs no identity.
pub(super) const ALGORITHMS: &[Algorithm] = &[
    Algorithm::RS256,
    Algorithm::ES256,
    Algorithm::EdDSA,
    Algorithm::PS256,
    Algorithm::RS384,
    Algorithm::ES384,
    Algorithm::PS384,
    Algorithm::RS512,
    Algorithm::PS512,
];

/// Has `jsonwebtoken` use it; called before anything is checked.
pub(super) fn install() {
    static PROVIDER: OnceLock<CryptoProvider> = OnceLock::new();
    let provider = PROVIDER.get_or_init(|| CryptoProvider {
        signer_factory,
        verifier_factory,
        // Nothing that we call asks for the parts of a key.
        key_utils: KeyUtils::new_unimplemented(),
    });
    // Somebody may have been first: with this one, since there is no other.
    let _ = provider.install_default();
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the library asks for it so")]
fn signer_factory(_: &Algorithm, _: &EncodingKey) -> Result<Box<dyn JwtSigner>> {
    Err(ErrorKind::InvalidAlgorithm.into())
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the library asks for it so")]
fn verifier_factory(algorithm: &Algorithm, key: &DecodingKey) -> Result<Box<dyn JwtVerifier>> {
    let way = Way::of(*algorithm).filter(|way| way.family() == key.family());
    let way = way.ok_or(ErrorKind::InvalidAlgorithm)?;
    Ok(Box::new(Checker {
        algorithm: *algorithm,
        way,
        key: key.clone(),
    }))
}

/// How a signature is checked.
#[derive(Clone, Copy)]
enum Way {
    Rsa(&'static signature::RsaParameters),
    Curve(AlgorithmFamily, &'static dyn VerificationAlgorithm),
}

impl Way {
    fn of(algorithm: Algorithm) -> Option<Self> {
        Some(match algorithm {
            Algorithm::RS256 => Self::Rsa(&signature::RSA_PKCS1_2048_8192_SHA256),
            Algorithm::RS384 => Self::Rsa(&signature::RSA_PKCS1_2048_8192_SHA384),
            Algorithm::RS512 => Self::Rsa(&signature::RSA_PKCS1_2048_8192_SHA512),
            Algorithm::PS256 => Self::Rsa(&signature::RSA_PSS_2048_8192_SHA256),
            Algorithm::PS384 => Self::Rsa(&signature::RSA_PSS_2048_8192_SHA384),
            Algorithm::PS512 => Self::Rsa(&signature::RSA_PSS_2048_8192_SHA512),
            Algorithm::ES256 => Self::Curve(AlgorithmFamily::Ec, &signature::ECDSA_P256_SHA256_FIXED),
            Algorithm::ES384 => Self::Curve(AlgorithmFamily::Ec, &signature::ECDSA_P384_SHA384_FIXED),
            Algorithm::EdDSA => Self::Curve(AlgorithmFamily::Ed, &signature::ED25519),
            _ => return None,
        })
    }

    const fn family(self) -> AlgorithmFamily {
        match self {
            Self::Rsa(_) => AlgorithmFamily::Rsa,
            Self::Curve(family, _) => family,
        }
    }
}

struct Checker {
    algorithm: Algorithm,
    way: Way,
    key: DecodingKey,
}

impl Verifier<Vec<u8>> for Checker {
    fn verify(&self, message: &[u8], signed: &Vec<u8>) -> std::result::Result<(), Error> {
        let is_good = match (self.way, self.key.kind()) {
            (Way::Rsa(parameters), DecodingKeyKind::RsaModulusExponent { n, e }) => {
                // Numbers of a key may be written with zeros in front, which ring does not take.
                let components = RsaPublicKeyComponents {
                    n: without_zeros(n),
                    e: without_zeros(e),
                };
                components.verify(parameters, message, signed).is_ok()
            }
            (Way::Curve(_, algorithm), DecodingKeyKind::SecretOrDer(key)) => {
                UnparsedPublicKey::new(algorithm, key).verify(message, signed).is_ok()
            }
            _ => false,
        };
        if is_good { Ok(()) } else { Err(Error::new()) }
    }
}

fn without_zeros(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    number.get(zeros..).unwrap_or_default()
}

impl JwtVerifier for Checker {
    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}
