//! `docs/configuration.md` says what the program does.

use std::path::Path;

/// With `AILERON_WRITE_DOCS` set the page is written instead of checked.
#[test]
fn the_page_of_settings_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/configuration.md");
    let current = aileron::runtime::configuration_reference();
    if std::env::var_os("AILERON_WRITE_DOCS").is_some() {
        std::fs::write(&path, current).expect("writable");
        return;
    }
    let page = std::fs::read_to_string(&path).expect("exists");
    let differing = page
        .lines()
        .zip(current.lines())
        .find(|(page, current)| page != current);
    assert!(
        page == current,
        "{} is stale; AILERON_WRITE_DOCS=1 writes it anew. First difference: {differing:#?}",
        path.display()
    );
}
