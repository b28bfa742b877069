//! Takes the built pages of `web/dist` into the binary. It never builds them: that needs Node and a
//! network, which a build of the server does without.
//!
//! `BASEFLOW_WEB` says what is to be done where they are not built, or older than their sources:
//! nothing said, a build for development goes on with what there is, and one for release fails;
//! `require` fails, `skip` goes on.

use std::{
    env,
    error::Error,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use sha2::{Digest as _, Sha256};

/// What the pages are made of, beside all in `src` but its tests; `web/pack.ts` has the same list.
const SOURCES: [&str; 6] = [
    "index.html",
    "pack.ts",
    "package-lock.json",
    "package.json",
    "tsconfig.json",
    "vite.config.ts",
];
/// Where the digest of the sources stands that the pages were built of.
const MADE_OF: &str = "made-of";

const WAYS_OUT: &str = "build them with Node 20.19 or later:\n\
    \n    npm --prefix dashboards/web ci && npm --prefix dashboards/web run build\n\
    \nor take `dashboards/web/dist` out of a release, which has it built,\n\
    or set BASEFLOW_WEB=skip for a server without pages";

fn main() -> Result<(), Box<dyn Error>> {
    let web = Path::new(env!("CARGO_MANIFEST_DIR")).join("web");
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("cargo names no OUT_DIR")?);
    println!("cargo::rerun-if-env-changed=BASEFLOW_WEB");
    for watched in SOURCES.into_iter().chain(["src", "dist"]) {
        println!("cargo::rerun-if-changed=web/{watched}");
    }
    let dist = web.join("dist");
    let complaint = match fs::read_to_string(dist.join(MADE_OF)) {
        Err(_not_there) => Some("the pages are not built"),
        Ok(made_of) if made_of.trim() != digest_of(&web)? => {
            Some("the pages are older than their sources")
        }
        Ok(_newest) => None,
    };
    if let Some(complaint) = complaint {
        let asked = env::var_os("BASEFLOW_WEB").unwrap_or_default();
        let is_release = env::var_os("PROFILE").is_some_and(|profile| profile == "release");
        match asked.to_str() {
            Some("skip") => {}
            Some("") if !is_release => {
                println!("cargo::warning={complaint}; npm --prefix dashboards/web run build");
            }
            Some("" | "require") => return Err(format!("{complaint}; {WAYS_OUT}").into()),
            _ => return Err("BASEFLOW_WEB is `require`, `skip` or not set".into()),
        }
    }
    let table = table(&dist, &out)?;
    fs::write(out.join("pages.rs"), table)?;
    Ok(())
}

/// The digest of everything that the pages are made of.
fn digest_of(web: &Path) -> Result<String, Box<dyn Error>> {
    let mut sources: Vec<String> = SOURCES.map(str::to_owned).to_vec();
    let is_source = |path: &String| !path.ends_with(".test.ts");
    sources.extend(below(web, "src")?.into_iter().filter(is_source));
    sources.sort();
    let mut digest = Sha256::new();
    for source in sources {
        let bytes = fs::read(web.join(&source))?;
        digest.update(format!("{source}\n{}\n", bytes.len()));
        digest.update(bytes);
    }
    Ok(hex(&digest.finalize()))
}

/// The Rust of the table of files, which are copied to where nothing else changes them.
fn table(dist: &Path, out: &Path) -> Result<String, Box<dyn Error>> {
    let copies = out.join("web");
    match fs::remove_dir_all(&copies) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
        Ok(()) | Err(_) => fs::create_dir(&copies)?,
    }
    let mut paths = below(dist, "")?;
    paths.sort();
    let mut text =
        "/// Every file of the pages.\npub(super) const FILES: &[Asset] = &[\n".to_owned();
    let copy = |path: &str| -> Result<Option<String>, Box<dyn Error>> {
        if !dist.join(path).try_exists()? {
            return Ok(None);
        }
        let to = copies.join(path.replace('/', "-"));
        fs::copy(dist.join(path), &to)?;
        Ok(Some(format!("include_bytes!({:?})", to.display().to_string())))
    };
    for path in &paths {
        let Some(media_type) = media_type(path)? else { continue };
        let digest = hex(&Sha256::digest(fs::read(dist.join(path))?));
        let digest = digest.get(..32).unwrap_or_default();
        let plain = copy(path)?.ok_or("a file has gone")?;
        let coded =
            |text: Option<String>| text.map_or("None".to_owned(), |text| format!("Some({text})"));
        let (gzip, brotli) =
            (coded(copy(&format!("{path}.gz"))?), coded(copy(&format!("{path}.br"))?));
        writeln!(
            text,
            "Asset {{ path: {path:?}, media_type: {media_type:?}, digest: {digest:?}, \
             plain: {plain}, gzip: {gzip}, brotli: {brotli} }},"
        )?;
    }
    text.push_str("];\n");
    Ok(text)
}

/// None of what is no file of the pages.
fn media_type(path: &str) -> Result<Option<&'static str>, String> {
    let name = path.rsplit('/').next().unwrap_or_default();
    if name.starts_with('.') || name == MADE_OF {
        return Ok(None);
    }
    match name.rsplit('.').next().unwrap_or_default() {
        "br" | "gz" => Ok(None),
        "html" => Ok(Some("text/html; charset=utf-8")),
        "js" => Ok(Some("text/javascript; charset=utf-8")),
        "css" => Ok(Some("text/css; charset=utf-8")),
        "svg" => Ok(Some("image/svg+xml")),
        "png" => Ok(Some("image/png")),
        "json" => Ok(Some("application/json")),
        "wasm" => Ok(Some("application/wasm")),
        _ => Err(format!("nobody knows what to call `{path}`; name its media type in build.rs")),
    }
}

/// Every file below `folder`, by its path below `root`.
fn below(root: &Path, folder: &str) -> Result<Vec<String>, Box<dyn Error>> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(root.join(&folder))? {
            let entry = entry?;
            let name = entry.file_name();
            let name = name.to_str().ok_or("a name that is no text")?;
            let path = if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") };
            if entry.file_type()?.is_dir() { folders.push(path) } else { found.push(path) }
        }
    }
    Ok(found)
}

fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.filter_map(|digit| char::from_digit(u32::from(digit), 16)).collect()
}
