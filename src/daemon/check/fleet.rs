//! Checks of the section `fleet`: URL, token, curl.
//!
//! Takes the options, looks at files, adds findings. Never reads the token itself.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::Findings;
use crate::config::{Config, FleetSources};

/// Findings that follow from the options alone.
pub(super) fn options(config: &Config, findings: &mut Findings) {
    let fleet = &config.fleet;
    if !fleet.enabled {
        return;
    }
    if fleet.url.is_empty() {
        findings.wrong(
            "the fleet is enabled, but has no url: batches are made and never sent; \
             uci set fwstat.fleet.url=https://...",
        );
    }
    if config.mask_sources && fleet.sources == FleetSources::Address {
        findings
            .note("mask_sources is on: the fleet's server gets a hash of each source instead of its address");
    }
    if config.fleet_sources() == FleetSources::Hash && fleet.hash_key.is_empty() {
        findings.note(
            "the fleet's option hash_key is empty: a source that several routers see counts once for each of them; \
             set the same key on all of them",
        );
    }
}

/// What the sender needs of the router: the daemon cannot see it.
pub(super) fn sender(config: &Config, findings: &mut Findings) {
    if config.fleet.enabled {
        token(Path::new(&config.fleet.token_file), findings);
        let paths = ["/usr/bin/curl", "/bin/curl", "/usr/local/bin/curl"];
        if !paths.iter().any(|path| Path::new(path).exists()) {
            findings
                .wrong("the fleet's batches are sent by curl, which is missing: install the package curl");
        }
    }
}

/// Whether the file of the token is there, and readable by its owner only.
fn token(path: &Path, findings: &mut Findings) {
    let shown = path.display();
    match fs::metadata(path) {
        Err(error) => findings.wrong(format!("the fleet's token_file {shown} cannot be read: {error}")),
        Ok(metadata) if !metadata.is_file() || metadata.len() == 0 => {
            findings.wrong(format!("the fleet's token_file {shown} holds no token"));
        }
        Ok(metadata) if metadata.mode() & 0o077 != 0 => {
            findings.wrong(format!("the fleet's token_file {shown} can be read by others: chmod 600 {shown}"))
        }
        Ok(_) => findings.fine("the fleet's token is there"),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn nothing_is_said_of_a_fleet_that_is_off() {
        let mut findings = Findings::default();
        options(&Config::default(), &mut findings);
        sender(&Config::default(), &mut findings);
        assert!(findings.rows().is_empty());
    }

    #[test]
    fn what_is_missing_is_told_with_what_to_do() {
        let text =
            "config fwstat 'main'\n\toption mask_sources '1'\nconfig fleet 'fleet'\n\toption enabled '1'\n";
        let (config, problems) = Config::parse("fwstat", text);
        assert!(problems.is_empty(), "{problems:?}");
        let mut findings = Findings::default();
        options(&config, &mut findings);
        let place = std::env::temp_dir().join(format!("fwstat-token-{}", std::process::id()));
        let _ = fs::remove_file(&place);
        token(&place, &mut findings);
        fs::write(&place, "").unwrap();
        token(&place, &mut findings);
        fs::write(&place, "secret").unwrap();
        for mode in [0o644, 0o600] {
            fs::set_permissions(&place, fs::Permissions::from_mode(mode)).unwrap();
            token(&place, &mut findings);
        }
        fs::remove_file(&place).unwrap();
        let printed: Vec<String> =
            findings.0.iter().map(|(kind, text)| format!("{} {text}", kind.word())).collect();
        for (printed, begin) in printed.iter().zip([
            "WRONG the fleet is enabled, but has no url",
            "note mask_sources is on",
            "note the fleet's option hash_key is empty",
            "WRONG the fleet's token_file",
            "WRONG the fleet's token_file",
            "WRONG the fleet's token_file",
            "ok the fleet's token is there",
        ]) {
            assert!(printed.starts_with(begin), "{printed}");
        }
        assert_eq!(printed.len(), 7, "{printed:?}");
        assert!(!printed.iter().any(|printed| printed.contains("secret")));
    }
}
