//! The broker of the crate `ubusd` as a program: `broker SOCKET`. For `tests/router` and the benchmark.

fn main() {
    let socket_path = std::env::args().nth(1).expect("the socket's path");
    let config = ubusd::Config { socket_path, ..ubusd::Config::default() };
    ubusd::Broker::bind(config).expect("a broker").run().expect("serving");
}
