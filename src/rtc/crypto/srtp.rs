//! The ciphers of SRTP (RFC 3711, RFC 7714). `ring` has no AES without authentication, so the key derivation and the
//! profile without GCM, which browsers choose last, use the crates that dimpl brings.

use std::fmt;

use aes::cipher::{Array, BlockCipherEncrypt, KeyInit, KeyIvInit, StreamCipher, consts::U16};
use aes::{Aes128, Aes256};
use ring::aead::{AES_128_GCM, AES_256_GCM, Aad, Algorithm, LessSafeKey, Nonce, UnboundKey};
use str0m::crypto::CryptoError;
use str0m::crypto::{
    AeadAes128GcmCipher, AeadAes256GcmCipher, Aes128CmSha1_80Cipher, SrtpProvider, SupportedAeadAes128Gcm,
    SupportedAeadAes256Gcm, SupportedAes128CmSha1_80,
};

/// Bytes of an authentication tag.
const TAG: usize = 16;

#[derive(Debug)]
pub(super) struct Srtp;

impl SrtpProvider for Srtp {
    fn aes_128_cm_sha1_80(&self) -> &'static dyn SupportedAes128CmSha1_80 {
        &CounterMode
    }

    fn aead_aes_128_gcm(&self) -> &'static dyn SupportedAeadAes128Gcm {
        &Gcm
    }

    fn aead_aes_256_gcm(&self) -> &'static dyn SupportedAeadAes256Gcm {
        &Gcm
    }

    fn srtp_aes_128_ecb_round(&self, key: &[u8], input: &[u8], output: &mut [u8]) {
        ecb_round(Aes128::new_from_slice(key).ok(), input, output);
    }

    fn srtp_aes_256_ecb_round(&self, key: &[u8], input: &[u8], output: &mut [u8]) {
        ecb_round(Aes256::new_from_slice(key).ok(), input, output);
    }
}

/// Encrypts one block. str0m reads no more than that of the output, and derives keys of the sizes above alone.
fn ecb_round(cipher: Option<impl BlockCipherEncrypt<BlockSize = U16>>, input: &[u8], output: &mut [u8]) {
    let (Some(cipher), Ok(mut block)) = (cipher, Array::<u8, U16>::try_from(input)) else { return };
    cipher.encrypt_block(&mut block);
    output[..block.len()].copy_from_slice(&block);
}

#[derive(Debug)]
struct CounterMode;

impl SupportedAes128CmSha1_80 for CounterMode {
    fn create_cipher(&self, key: [u8; 16], _encrypt: bool) -> Box<dyn Aes128CmSha1_80Cipher> {
        Box::new(CounterModeKey(key))
    }
}

struct CounterModeKey([u8; 16]);

impl fmt::Debug for CounterModeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CounterModeKey(..)")
    }
}

type Aes128Counter = ctr::Ctr128BE<Aes128>;

impl Aes128CmSha1_80Cipher for CounterModeKey {
    fn encrypt(&mut self, iv: &[u8; 16], input: &[u8], output: &mut [u8]) -> Result<(), CryptoError> {
        let mut cipher = Aes128Counter::new((&self.0).into(), iv.into());
        let output = room(output, input.len())?;
        output.copy_from_slice(input);
        cipher.apply_keystream(output);
        Ok(())
    }

    fn decrypt(&mut self, iv: &[u8; 16], input: &[u8], output: &mut [u8]) -> Result<(), CryptoError> {
        self.encrypt(iv, input, output)
    }
}

#[derive(Debug)]
struct Gcm;

impl SupportedAeadAes128Gcm for Gcm {
    fn create_cipher(&self, key: [u8; 16], _encrypt: bool) -> Box<dyn AeadAes128GcmCipher> {
        Box::new(GcmKey::new(&AES_128_GCM, &key))
    }
}

impl SupportedAeadAes256Gcm for Gcm {
    fn create_cipher(&self, key: [u8; 32], _encrypt: bool) -> Box<dyn AeadAes256GcmCipher> {
        Box::new(GcmKey::new(&AES_256_GCM, &key))
    }
}

/// A key of either size; `None` would be one of another size, which the traits exclude.
struct GcmKey(Option<LessSafeKey>);

impl fmt::Debug for GcmKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GcmKey(..)")
    }
}

impl GcmKey {
    fn new(algorithm: &'static Algorithm, key: &[u8]) -> Self {
        Self(UnboundKey::new(algorithm, key).ok().map(LessSafeKey::new))
    }

    fn key(&self) -> Result<&LessSafeKey, CryptoError> {
        self.0.as_ref().ok_or_else(|| CryptoError::Other("an SRTP key of another size".to_owned()))
    }

    /// Writes the cipher text and then its tag.
    fn seal(&self, iv: &[u8; 12], aad: &[u8], input: &[u8], output: &mut [u8]) -> Result<(), CryptoError> {
        let output = room(output, input.len() + TAG)?;
        let (text, tag) = output.split_at_mut(input.len());
        text.copy_from_slice(input);
        let sealed = self
            .key()?
            .seal_in_place_separate_tag(Nonce::assume_unique_for_key(*iv), Aad::from(aad), text)
            .map_err(|_| CryptoError::Other("SRTP packet not sealed".to_owned()))?;
        tag.copy_from_slice(sealed.as_ref());
        Ok(())
    }

    /// Says how many bytes of plain text `output` has now.
    fn open(
        &self,
        iv: &[u8; 12],
        aads: &[&[u8]],
        input: &[u8],
        output: &mut [u8],
    ) -> Result<usize, CryptoError> {
        let aad = aads.concat();
        let mut text = input.to_vec();
        let opened = self
            .key()?
            .open_in_place(Nonce::assume_unique_for_key(*iv), Aad::from(&aad), &mut text)
            .map_err(|_| CryptoError::Other("SRTP packet not authentic".to_owned()))?;
        room(output, opened.len())?.copy_from_slice(opened);
        Ok(opened.len())
    }
}

impl AeadAes128GcmCipher for GcmKey {
    fn encrypt(
        &mut self,
        iv: &[u8; 12],
        aad: &[u8],
        input: &[u8],
        output: &mut [u8],
    ) -> Result<(), CryptoError> {
        self.seal(iv, aad, input, output)
    }

    fn decrypt(
        &mut self,
        iv: &[u8; 12],
        aads: &[&[u8]],
        input: &[u8],
        output: &mut [u8],
    ) -> Result<usize, CryptoError> {
        self.open(iv, aads, input, output)
    }
}

impl AeadAes256GcmCipher for GcmKey {
    fn encrypt(
        &mut self,
        iv: &[u8; 12],
        aad: &[u8],
        input: &[u8],
        output: &mut [u8],
    ) -> Result<(), CryptoError> {
        self.seal(iv, aad, input, output)
    }

    fn decrypt(
        &mut self,
        iv: &[u8; 12],
        aads: &[&[u8]],
        input: &[u8],
        output: &mut [u8],
    ) -> Result<usize, CryptoError> {
        self.open(iv, aads, input, output)
    }
}

fn room(output: &mut [u8], length: usize) -> Result<&mut [u8], CryptoError> {
    output.get_mut(..length).ok_or_else(|| CryptoError::Other("no room for an SRTP packet".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(hex: &str) -> Vec<u8> {
        data_encoding::HEXLOWER.decode(hex.as_bytes()).unwrap()
    }

    /// FIPS 197, appendix C.1 and C.3.
    #[test]
    fn a_round_is_one_block_of_aes() {
        let input = bytes("00112233445566778899aabbccddeeff");
        let key = bytes("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f");
        let mut output = [0; 32];
        Srtp.srtp_aes_128_ecb_round(&key[..16], &input, &mut output);
        assert_eq!(output[..16], bytes("69c4e0d86a7b0430d8cdb78070b4c55a")[..]);
        Srtp.srtp_aes_256_ecb_round(&key, &input, &mut output);
        assert_eq!(output[..16], bytes("8ea2b7ca516745bfeafc49904b496089")[..]);
    }

    /// RFC 3711, appendix B.2.
    #[test]
    fn the_counter_mode_is_that_of_srtp() {
        let key: [u8; 16] = bytes("2b7e151628aed2a6abf7158809cf4f3c").try_into().unwrap();
        let iv: [u8; 16] = bytes("f0f1f2f3f4f5f6f7f8f9fafbfcfd0000").try_into().unwrap();
        let mut output = [0; 16];
        CounterModeKey(key).encrypt(&iv, &[0; 16], &mut output).unwrap();
        assert_eq!(output[..], bytes("e03ead0935c95e80e166b16dd92b4eb4")[..]);
    }

    /// RFC 7714, §16.1.1 and §17.1 (the RTP packet protected by AES-128 and AES-256).
    #[test]
    fn packets_are_sealed_as_the_standard_says() {
        let iv: [u8; 12] = bytes("51753c6580c2726f20718414").try_into().unwrap();
        let header = bytes("8040f17b8041f8d35501a0b2");
        let plain = bytes("47616c6c696120657374206f6d6e69732064697669736120696e207061727465732074726573");
        let keys = bytes("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f");
        for (key, sealed) in [
            (
                GcmKey::new(&AES_128_GCM, &keys[..16]),
                "f24de3a3fb34de6cacba861c9d7e4bcabe633bd50d294e6f42a5f47a51c7d19b36de3adf8833899d7f27beb16a9152cf765ee4390cce",
            ),
            (
                GcmKey::new(&AES_256_GCM, &keys),
                "32b1de78a822fe12ef9f78fa332e33aab18012389a58e2f3b50b2a0276ffae0f1ba63799b87b7aa3db36dfffd6b0f9bb7878d7a76c13",
            ),
        ] {
            let mut output = vec![0; plain.len() + TAG];
            key.seal(&iv, &header, &plain, &mut output).unwrap();
            assert_eq!(data_encoding::HEXLOWER.encode(&output), sealed);
            let mut opened = vec![0; plain.len()];
            assert_eq!(key.open(&iv, &[&header], &output, &mut opened).unwrap(), plain.len());
            assert_eq!(opened, plain);
            output[3] ^= 1;
            assert!(key.open(&iv, &[&header], &output, &mut opened).is_err(), "a forged packet");
        }
    }

    #[test]
    fn a_packet_without_room_is_an_error() {
        let key = GcmKey::new(&AES_128_GCM, &[0; 16]);
        assert!(key.seal(&[0; 12], &[0; 12], &[1; 20], &mut [0; 35]).is_err());
        assert!(CounterModeKey([0; 16]).encrypt(&[0; 16], &[1; 20], &mut [0; 19]).is_err());
    }

    #[test]
    fn keys_do_not_show() {
        assert_eq!(format!("{:?}", CounterModeKey([7; 16])), "CounterModeKey(..)");
        assert_eq!(format!("{:?}", GcmKey::new(&AES_128_GCM, &[7; 16])), "GcmKey(..)");
    }
}
