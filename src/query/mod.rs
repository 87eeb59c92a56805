//! Question -> answer. Knows no clock, file, socket, JSON or nft.

pub mod answer;
pub mod history;
pub mod question;
