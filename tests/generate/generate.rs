//! Writes the logs of tests, benchmark and README, with the truth about them. See `tests/common/generate`.

#[path = "../common/asn_mmdb.rs"]
#[allow(dead_code)]
mod asn_mmdb;
#[path = "../common/generate/mod.rs"]
mod generate;
mod measure;

use std::error::Error;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::net::IpAddr;
use std::process::ExitCode;

const USAGE: &str = "\
usage: generate months OUT [TRUTH]           a home router's sixteen months
       generate recent OUT YEAR-MONTH-DAY    the same, ending on that day
       generate sample OUT.gz [TRUTH]        a small log, compressed; TRUTH is the short form
       generate corpus OUT [iso|logread]     the benchmark's 2,000,000 lines
       generate forged OUT [N [DAYS [TRUTH]]] N lines, each from another source
       generate other DIR                    small files in other people's shapes, and DIR/truth.json
       generate networks CSV OUT SECONDS      a database of networks (first,last,AS number,name); SECONDS: its date
       generate measure OUT.json COMMAND...  runs a command; CPU seconds, elapsed seconds and peak memory
OUT can be - for standard output.";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments.iter().map(String::as_str).collect::<Vec<_>>()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("generate: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[&str]) -> Result<(), Box<dyn Error>> {
    match arguments {
        ["months", out, rest @ ..] => {
            let truth = with_output(out, generate::months)?;
            write_truth(rest, &truth.to_json())
        }
        ["recent", out, last] => {
            let parts: Vec<i64> = last.split('-').map(str::parse).collect::<Result<_, _>>()?;
            let [year, month, day] = parts[..] else { return Err(USAGE.into()) };
            with_output(out, |out| {
                generate::months_until(out, generate::calendar::Day::of(year, month, day))
            })?;
            Ok(())
        }
        ["sample", out, rest @ ..] => {
            let (gz, truth) = generate::sample_gz()?;
            with_output(out, |out| out.write_all(&gz))?;
            write_truth(rest, &truth.headline())
        }
        ["corpus", out] | ["corpus", out, "iso"] => {
            with_output(out, |out| generate::corpus(out, generate::Stamp::Iso))?;
            Ok(())
        }
        ["corpus", out, "logread"] => {
            with_output(out, |out| generate::corpus(out, generate::Stamp::Logread))?;
            Ok(())
        }
        ["forged", out, rest @ ..] => {
            let number =
                |index: usize, default: u64| rest.get(index).map_or(Ok(default), |text| text.parse());
            let (lines, days) = (number(0, 10_000_000)?, number(1, 1)?);
            let truth = with_output(out, |out| generate::forged(out, lines, days))?;
            write_truth(&rest[rest.len().min(2)..], &truth.to_json())
        }
        ["other", directory] => {
            fs::create_dir_all(directory)?;
            for file in generate::other() {
                fs::write(format!("{directory}/{}", file.name), &file.text)?;
            }
            write_truth(&[&format!("{directory}/truth.json")], &generate::other::truth_json())
        }
        ["networks", csv, out, built] => {
            let address = |text: &str| {
                text.parse().map(|address| match address {
                    IpAddr::V4(v4) => u128::from(u32::from(v4)),
                    IpAddr::V6(v6) => u128::from(v6),
                })
            };
            let mut rows: Vec<asn_mmdb::Row> = Vec::new();
            for line in fs::read_to_string(csv)?.lines() {
                let [first, last, asn, name] = line.splitn(4, ',').collect::<Vec<_>>()[..] else {
                    return Err(format!("{csv}: {line}").into());
                };
                rows.push((address(first)?, address(last)?, asn.parse()?, name.trim_matches('"').into()));
            }
            Ok(fs::write(out, asn_mmdb::asn_mmdb(&rows, asn_mmdb::GEOLITE2, built.parse()?))?)
        }
        ["measure", out, command, rest @ ..] => Ok(measure::measure(out, command, rest)?),
        _ => Err(USAGE.into()),
    }
}

fn with_output<T>(path: &str, write: impl FnOnce(&mut dyn Write) -> io::Result<T>) -> io::Result<T> {
    if path == "-" {
        let mut out = BufWriter::with_capacity(1 << 20, io::stdout().lock());
        let result = write(&mut out)?;
        out.flush()?;
        return Ok(result);
    }
    let mut out = BufWriter::with_capacity(1 << 20, File::create(path)?);
    let result = write(&mut out)?;
    out.flush()?;
    Ok(result)
}

fn write_truth(path: &[&str], truth: &serde_json::Value) -> Result<(), Box<dyn Error>> {
    let Some(path) = path.first() else { return Ok(()) };
    Ok(fs::write(path, serde_json::to_string_pretty(truth)? + "\n")?)
}
