//! Ids made from content: short, in base 36, as long as the number of beads asks for.

use sha2::{Digest, Sha256};

/// Lengths that a made id may have.
pub(super) const LENGTHS: std::ops::RangeInclusive<usize> = 3..=8;

/// The first bytes of SHA-256 of `title|description|creator|nanos|nonce` in base 36, `len` digits.
pub(super) fn hash(title: &str, description: &str, creator: &str, nanos: i128, nonce: u32, len: usize) -> String {
    let content = format!("{title}|{description}|{creator}|{nanos}|{nonce}");
    let digest = Sha256::digest(content.as_bytes());
    let bytes = match len {
        0..=3 => 2,
        4 => 3,
        5 | 6 => 4,
        _ => 5,
    };
    let mut n = digest[..bytes].iter().fold(0_u64, |n, b| (n << 8) | u64::from(*b));
    let mut digits = vec![b'0'; len];
    for digit in digits.iter_mut().rev() {
        *digit = b"0123456789abcdefghijklmnopqrstuvwxyz"[(n % 36) as usize];
        n /= 36;
    }
    digits.iter().map(|d| char::from(*d)).collect()
}

/// The shortest length at which a collision among `n` ids is no likelier than `max` (usually 0.25).
pub(super) fn length_for(n: i64, max: f64, shortest: usize, longest: usize) -> usize {
    let n = n.max(0) as f64;
    (shortest..=longest).find(|len| 1.0 - (-(n * n) / (2.0 * 36_f64.powi(*len as i32))).exp() <= max).unwrap_or(longest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Time;

    #[test]
    fn hashes_equal_the_published_vectors() {
        let at: Time = "2024-01-02T03:04:05.006Z".parse().expect("time");
        let made: Vec<String> =
            LENGTHS.map(|len| hash("Fix login", "Details", "jira-import", at.nanos(), 0, len)).collect();
        assert_eq!(made, ["vju", "8d8e", "bi3tk", "8bi3tk", "r5sr6bm", "8r5sr6bm"]);
    }

    #[test]
    fn ids_grow_with_their_number() {
        let length = |n| length_for(n, 0.25, 3, 8);
        assert_eq!([length(0), length(160), length(170), length(979), length(990)], [3, 3, 4, 4, 5]);
        assert_eq!([length(5_800), length(6_000), length(36_000), length(213_000)], [5, 6, 7, 8]);
        assert_eq!(length(i64::MAX), 8);
    }
}
