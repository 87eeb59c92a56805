//! The broker of the crate `ubusd` as a program: `broker SOCKET [ACL_DIRECTORY | --log]`. For `tests/router`, the machines
//! of `tests/openwrt`, the page's tests and the benchmark. Without a directory only root may do anything. With `--log` it
//! is logd too: each line of standard input is a message of the kernel.

#[allow(dead_code)]
mod logd;
#[allow(dead_code)]
mod wire;

use std::io::BufRead;
use std::path::Path;
use std::time::Duration;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let socket_path = arguments.next().expect("the socket's path");
    let option = arguments.next();
    let acl_dir = option.clone().filter(|option| option != "--log");
    if option.is_some_and(|option| option == "--log") {
        let socket_path = socket_path.clone();
        std::thread::spawn(move || log(&socket_path));
    }
    let config = ubusd::Config { socket_path, acl_dir, ..ubusd::Config::default() };
    ubusd::Broker::bind(config).expect("a broker").run().expect("serving");
}

fn log(socket_path: &str) {
    while !Path::new(socket_path).exists() {
        std::thread::sleep(Duration::from_millis(20));
    }
    let mut logd = logd::Logd::start(Path::new(socket_path));
    for line in std::io::stdin().lock().lines() {
        let Ok(line) = line else { break };
        logd.kernel(&line);
    }
    // Its object stays as long as the broker.
    std::mem::forget(logd);
}
