//! Commands as somebody can paste them into a shell: with the settings that were given.

use std::path::Path;

use runtime::shell_word::quoted;

/// The line for `words`, such as `quarantine replay 7`, with these settings.
pub(crate) fn typed(words: &str, config: &Path) -> String {
    let config = config.to_string_lossy();
    format!("baseflow {words} --config {}", quoted(&config))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_can_be_pasted_wherever_the_settings_are() {
        let line = |config: &str| typed("quarantine replay 7", Path::new(config));
        assert_eq!(
            line("/etc/baseflow/基流.toml"),
            "baseflow quarantine replay 7 --config /etc/baseflow/基流.toml"
        );
        assert_eq!(line("my own.toml"), "baseflow quarantine replay 7 --config 'my own.toml'");
        assert_eq!(line("it's.toml"), r"baseflow quarantine replay 7 --config 'it'\''s.toml'");
    }
}
