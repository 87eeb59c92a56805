//! Bytes -> fields, pure. Never panics, never logs, never allocates by an attacker's number.

pub mod fingerprint;
pub mod foreign;
pub mod interfaces;
pub mod line;
pub mod log_prefix;
pub mod login;
pub mod netfilter;
pub mod netlink;
pub mod nflog;
pub mod nftables;
mod number;
pub mod packet;
mod prefix;
pub mod stamp;
mod structured;
pub mod syslog;
pub mod uncounted;
pub mod window;

pub use fingerprint::{fingerprint, fingerprint_of};

/// The words of a text, parted at its blanks while the program is compiled.
const fn words<const COUNT: usize>(text: &'static str) -> [&'static [u8]; COUNT] {
    let mut words: [&[u8]; COUNT] = [b""; COUNT];
    let (mut rest, mut number) = (text.as_bytes(), 0);
    while number < COUNT {
        let mut length = 0;
        while length < rest.len() && rest[length] != b' ' {
            length += 1;
        }
        assert!(length > 0, "too few words");
        (words[number], rest) = rest.split_at(length);
        if let [_, after @ ..] = rest {
            rest = after;
        }
        number += 1;
    }
    assert!(rest.is_empty(), "too many words");
    words
}
