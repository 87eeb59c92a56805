//! Question -> answer. Knows no clock, file, socket, JSON or nft.

pub mod answer;
pub mod question;
