//! The files of the page, as they stand in the binary.

/// Allows what the page needs: scripts, styles, pictures and documents of its own, and nothing of anybody else.
/// <https://www.w3.org/TR/CSP3/>
pub const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                          base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// A file.
#[derive(Debug, Clone, Copy)]
pub struct Asset {
    /// Where it is served.
    pub path: &'static str,
    /// Its type.
    pub content_type: &'static str,
    /// Its text.
    pub text: &'static str,
}

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";

macro_rules! asset {
    ($path:literal, $kind:expr, $file:literal) => {
        Asset { path: $path, content_type: $kind, text: include_str!(concat!("assets/", $file)) }
    };
}

const ASSETS: &[Asset] = &[
    asset!("/", HTML, "index.html"),
    asset!("/assets/page.css", CSS, "page.css"),
    asset!("/assets/chart.css", CSS, "chart.css"),
    asset!("/assets/icon.svg", "image/svg+xml", "icon.svg"),
    asset!("/assets/page.js", SCRIPT, "page.js"),
    asset!("/assets/agent.js", SCRIPT, "agent.js"),
    asset!("/assets/chart.js", SCRIPT, "chart.js"),
    asset!("/assets/dom.js", SCRIPT, "dom.js"),
    asset!("/assets/filters.js", SCRIPT, "filters.js"),
    asset!("/assets/format.js", SCRIPT, "format.js"),
    asset!("/assets/table.js", SCRIPT, "table.js"),
    asset!("/assets/theme.js", SCRIPT, "theme.js"),
];

impl Asset {
    /// The file at `path`.
    pub fn find(path: &str) -> Option<&'static Self> {
        ASSETS.iter().find(|asset| asset.path == path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_names_nothing_but_its_own_files() {
        for asset in ASSETS {
            // Names of XML's own vocabularies are no addresses that are fetched.
            let text = asset.text.replace("http://www.w3.org/2000/svg", "");
            for foreign in ["http:", "https:", "//cdn", "@import", "eval(", "innerHTML", " style="] {
                assert!(!text.contains(foreign), "{} has {foreign}", asset.path);
            }
        }
        let page = Asset::find("/").expect("the page").text;
        for part in page.split(['"']).filter(|part| part.starts_with("/assets/")) {
            assert!(Asset::find(part).is_some(), "{part}");
        }
        assert!(!page.contains("<style") && !page.contains("onclick"));
        for script in ASSETS.iter().filter(|asset| asset.content_type == SCRIPT) {
            for name in script.text.split("from \"./").skip(1).filter_map(|rest| rest.split('"').next()) {
                assert!(Asset::find(&format!("/assets/{name}")).is_some(), "{} imports {name}", script.path);
            }
        }
    }
}
