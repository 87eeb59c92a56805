//! The broker of the crate `ubusd` as a program: `broker SOCKET [ACL_DIRECTORY]`. For `tests/router`, the machines of
//! `tests/openwrt` and the benchmark. Without a directory only root may do anything.

fn main() {
    let mut arguments = std::env::args().skip(1);
    let socket_path = arguments.next().expect("the socket's path");
    let config = ubusd::Config { socket_path, acl_dir: arguments.next(), ..ubusd::Config::default() };
    ubusd::Broker::bind(config).expect("a broker").run().expect("serving");
}
