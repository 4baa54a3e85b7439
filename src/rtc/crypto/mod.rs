//! What WebRTC encrypts and authenticates with: str0m's traits, implemented by `ring` where it can.
//!
//! str0m's own providers need a C library (aws-lc, OpenSSL) or, for the one in Rust, a certificate generator that needs it.
//! `ring` is in the program anyway for TLS; its AES-GCM needs no AES instructions to be fast, which a Raspberry Pi up to 4
//! does not have.

mod dtls;
mod srtp;

use ring::{digest, hmac};
use str0m::config::DtlsCert;
use str0m::crypto::{CryptoProvider, Sha1HmacProvider, Sha1Provider, Sha256Provider};

/// A certificate for one connection, as browsers make them: by its fingerprint participants tell an offer on the connection
/// that they have from one that replaces it. Takes less than a millisecond.
///
/// # Errors
/// The system has no randomness, or the generator refuses its parameters; the text says which.
pub(super) fn certificate() -> Result<DtlsCert, String> {
    let made = rcgen::generate_simple_self_signed(Vec::new()).map_err(|error| error.to_string())?;
    Ok(DtlsCert { certificate: made.cert.der().to_vec(), private_key: made.signing_key.serialize_der() })
}

/// What every peer is given.
pub(super) fn provider() -> CryptoProvider {
    CryptoProvider {
        srtp_provider: &srtp::Srtp,
        sha1_hmac_provider: &Sha1Hmac,
        sha1_provider: &Sha1,
        sha256_provider: &Sha256,
        dtls_provider: &dtls::Dtls,
    }
}

#[derive(Debug)]
struct Sha1Hmac;

impl Sha1HmacProvider for Sha1Hmac {
    fn sha1_hmac(&self, key: &[u8], payloads: &[&[u8]]) -> [u8; 20] {
        let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, key));
        payloads.iter().for_each(|payload| context.update(payload));
        copied(context.sign().as_ref())
    }
}

#[derive(Debug)]
struct Sha1;

impl Sha1Provider for Sha1 {
    fn sha1(&self, data: &[u8]) -> [u8; 20] {
        copied(digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, data).as_ref())
    }
}

#[derive(Debug)]
struct Sha256;

impl Sha256Provider for Sha256 {
    fn sha256(&self, data: &[u8]) -> [u8; 32] {
        copied(digest::digest(&digest::SHA256, data).as_ref())
    }
}

fn copied<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut array = [0; N];
    array.copy_from_slice(bytes);
    array
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(bytes: &[u8]) -> String {
        data_encoding::HEXLOWER.encode(bytes)
    }

    /// RFC 2202 §3, test case 2, and the digests of "abc" (FIPS 180-4).
    #[test]
    fn digests_are_those_of_the_standards() {
        let parts: [&[u8]; 2] = [b"what do ya want ", b"for nothing?"];
        assert_eq!(hex(&Sha1Hmac.sha1_hmac(b"Jefe", &parts)), "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
        assert_eq!(hex(&Sha1.sha1(b"abc")), "a9993e364706816aba3e25717850c26c9cd0d89d");
        assert_eq!(
            hex(&Sha256.sha256(b"abc")),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }

    #[test]
    fn each_connection_has_a_certificate_of_its_own() {
        let (first, second) = (certificate().unwrap(), certificate().unwrap());
        assert_ne!(first.certificate, second.certificate);
    }
}
