use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use crate::Secret;
use crate::app::Pkce;

/// The value of `code_challenge` for a verifier, or `None` where PKCE is off. The method is S256 in both spellings.
pub fn challenge(pkce: Pkce, verifier: &Secret) -> Option<String> {
    let digest = Sha256::digest(verifier.expose().as_bytes());
    match pkce {
        Pkce::Off => None,
        Pkce::Base64url => Some(URL_SAFE_NO_PAD.encode(digest)),
        Pkce::Hex => Some(hex::encode(digest)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The verifier and challenge of RFC 7636 appendix B, and the same digest in hex.
    #[test]
    fn the_standards_example_in_both_spellings() {
        let verifier = Secret::from("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
        assert_eq!(
            challenge(Pkce::Base64url, &verifier).as_deref(),
            Some("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM")
        );
        assert_eq!(
            challenge(Pkce::Hex, &verifier).as_deref(),
            Some("13d31e961a1ad8ec2f16b10c4c982e0876a878ad6df144566ee1894acb70f9c3")
        );
        assert_eq!(challenge(Pkce::Off, &verifier), None);
    }
}
