//! Sends small UDP packets as fast as one thread can: `flood ADDRESS PORT PACKETS [PAUSE]`, with a pause of
//! so many microseconds after each thousand.

#[path = "../support/flood.rs"]
mod flood;

use std::net::UdpSocket;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let socket = UdpSocket::bind("0.0.0.0:0").expect("a socket");
    socket.connect(format!("{}:{}", arguments[1], arguments[2])).expect("a way there");
    let packets: usize = arguments[3].parse().expect("a number of packets");
    let pause = arguments.get(4).map_or(0, |pause| pause.parse().expect("microseconds"));
    let mut left = packets;
    while left > 0 {
        let now = left.min(1000);
        flood::flood(&socket, now);
        left -= now;
        std::thread::sleep(std::time::Duration::from_micros(pause));
    }
}
