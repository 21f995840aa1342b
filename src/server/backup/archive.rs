//! Writing and reading the archive itself.

use super::{Entry, KEY_FILE, MANIFEST, Manifest, SIGNATURE, TABLES, about, signature::Signature, table_file};
use crate::server::vault::Vault;
use sha2::{Digest, Sha256};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File, OpenOptions},
    io::{self, BufReader, BufWriter, Read, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Component, Path, PathBuf},
};

/// Largest manifest that is read, bytes.
const MANIFEST_LIMIT: u64 = 256 << 20;

/// Passes bytes on and sums them.
struct Summing<T> {
    inner: T,
    sum: Sha256,
    count: u64,
}

impl<T> Summing<T> {
    fn new(inner: T) -> Self {
        Self { inner, sum: Sha256::new(), count: 0 }
    }

    fn entry(self, name: &str) -> Entry {
        let sha256 = self.sum.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        Entry { name: name.to_owned(), size: self.count, sha256 }
    }
}

impl<T: Read> Read for Summing<T> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.sum.update(buffer.get(..read).unwrap_or_default());
        self.count += read as u64;
        Ok(read)
    }
}

/// A file for its owner's eyes only, which must not be there yet.
pub(super) fn private_file(path: &Path) -> Result<File, String> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(about(path))
}

/// An archive being written, under another name until it is whole.
pub(super) struct Writer {
    tar: tar::Builder<BufWriter<File>>,
    part: PathBuf,
    target: PathBuf,
    entries: Vec<Entry>,
    names: BTreeSet<String>,
}

impl Writer {
    pub(super) fn create(target: &Path) -> Result<Self, String> {
        if target.exists() {
            return Err(format!("{} is there already; give another name", target.display()));
        }
        let part = target.with_extension("tar.part");
        let _ = fs::remove_file(&part);
        let tar = tar::Builder::new(BufWriter::new(private_file(&part)?));
        Ok(Self { tar, part, target: target.to_owned(), entries: Vec::new(), names: BTreeSet::new() })
    }

    /// Adds a file under a name. One that has gone meanwhile is left out: `false`.
    pub(super) fn add(&mut self, name: &str, path: &Path) -> Result<bool, String> {
        if !self.names.insert(name.to_owned()) {
            return Ok(true);
        }
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.names.remove(name);
                return Ok(false);
            }
            Err(error) => return Err(about(path)(error)),
        };
        let size = file.metadata().map_err(about(path))?.len();
        let mut bytes = Summing::new(BufReader::new(file).take(size));
        self.tar.append_data(&mut header(size), name, &mut bytes).map_err(about(&self.part))?;
        if bytes.count != size {
            return Err(format!("{} became shorter while it was read", path.display()));
        }
        self.entries.push(bytes.entry(name));
        Ok(true)
    }

    /// Adds everything below a folder, except what is there already. Links and unfinished files are left out.
    pub(super) fn add_folder(&mut self, name: &str, folder: &Path) -> Result<(), String> {
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(about(folder)(error)),
        };
        let mut found: Vec<_> = entries.collect::<Result<_, _>>().map_err(about(folder))?;
        found.sort_by_key(fs::DirEntry::file_name);
        for entry in found {
            let path = entry.path();
            let kind = entry.file_type().map_err(about(&path))?;
            let Some(below) = entry.file_name().to_str().map(|n| format!("{name}/{n}")) else { continue };
            if kind.is_dir() {
                self.add_folder(&below, &path)?;
            // The file store writes beside the final name, with a number behind `#`, and renames.
            } else if kind.is_file() && !below.contains('#') {
                self.add(&below, &path)?;
            }
        }
        Ok(())
    }

    /// Writes the manifest and its signature, and gives the archive its name when all of it is on the disk. Returns its size.
    pub(super) fn finish(mut self, mut manifest: Manifest, vault: &Vault) -> Result<u64, String> {
        manifest.entries = std::mem::take(&mut self.entries);
        let text = serde_json::to_vec_pretty(&manifest).map_err(|e| e.to_string())?;
        let signature = serde_json::to_vec(&Signature::of(vault, &text)?).map_err(|e| e.to_string())?;
        for (name, text) in [(MANIFEST, &text), (SIGNATURE, &signature)] {
            self.tar.append_data(&mut header(text.len() as u64), name, text.as_slice()).map_err(about(&self.part))?;
        }
        let buffer = self.tar.into_inner().map_err(about(&self.part))?;
        let file = buffer.into_inner().map_err(|e| about(&self.part)(e.into_error()))?;
        file.sync_all().map_err(about(&self.part))?;
        fs::rename(&self.part, &self.target).map_err(about(&self.target))?;
        let folder = self.target.parent().unwrap_or(Path::new("."));
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(about(folder))?;
        file.metadata().map(|found| found.len()).map_err(about(&self.target))
    }
}

fn header(size: u64) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_size(size);
    header.set_mode(0o600);
    header.set_mtime(u64::try_from(chrono::Utc::now().timestamp()).unwrap_or(0));
    header
}

/// What an archive says of itself.
#[derive(Debug)]
pub(super) struct Said {
    /// The manifest.
    pub manifest: Manifest,
    /// Its bytes, which were signed.
    pub text: Vec<u8>,
    /// Who vouches for them.
    pub signature: Option<Signature>,
}

/// Name of the database in archives of the first form.
const DUMP: &str = "database.dump";

/// Reads a whole archive and compares every sum. With a folder, what is in it is written there. Who signed it is another question
/// ([`super::signature::verify`]).
///
/// Names that lead out of the folder, links and whatever the manifest does not know are refused.
pub(super) fn read(archive: &Path, into: Option<&Path>) -> Result<Said, String> {
    let broken = |why: &str| format!("{} is not a whole backup: {why}. Nothing was changed", archive.display());
    let file = File::open(archive).map_err(about(archive))?;
    let mut tar = tar::Archive::new(BufReader::new(file));
    let mut found = BTreeMap::new();
    let (mut manifest, mut signature) = (None, None);
    for entry in tar.entries().map_err(|e| broken(&e.to_string()))? {
        let mut entry = entry.map_err(|e| broken(&e.to_string()))?;
        let path = entry.path().map_err(|e| broken(&e.to_string()))?.into_owned();
        if path == Path::new(DUMP) {
            return Err(format!(
                "{} was written by an older SoulForge and holds statements that a restore would have to execute, so it is refused. \
                 Restore it with the program that wrote it, start the present one on that, and take a new backup. Nothing was changed",
                archive.display()
            ));
        }
        let name =
            path.to_str().filter(|_| is_known(&path)).ok_or_else(|| broken("it holds a strange name"))?.to_owned();
        if !entry.header().entry_type().is_file() {
            return Err(broken(&format!("{name} is not a file")));
        }
        if name == MANIFEST || name == SIGNATURE {
            let mut text = Vec::new();
            entry.by_ref().take(MANIFEST_LIMIT).read_to_end(&mut text).map_err(|e| broken(&e.to_string()))?;
            if name == MANIFEST {
                let read: Manifest = serde_json::from_slice(&text).map_err(|e| broken(&e.to_string()))?;
                manifest = Some((read, text));
            } else {
                let read: Signature = serde_json::from_slice(&text).map_err(|e| broken(&e.to_string()))?;
                signature = Some(read);
            }
            continue;
        }
        let mut bytes = Summing::new(&mut entry);
        match into {
            Some(folder) => {
                let target = folder.join(&path);
                let above = target.parent().unwrap_or(folder);
                fs::create_dir_all(above).map_err(about(above))?;
                let mut out = BufWriter::new(private_file(&target)?);
                io::copy(&mut bytes, &mut out).map_err(|e| broken(&e.to_string()))?;
                out.flush().map_err(about(&target))?;
            }
            None => drop(io::copy(&mut bytes, &mut io::sink()).map_err(|e| broken(&e.to_string()))?),
        }
        let entry = bytes.entry(&name);
        if found.insert(name.clone(), entry).is_some() {
            return Err(broken(&format!("{name} is in it twice")));
        }
    }
    let (manifest, text) = manifest.ok_or_else(|| broken("it was cut off before its manifest"))?;
    for wanted in &manifest.entries {
        match found.remove(&wanted.name) {
            Some(entry) if entry == *wanted => {}
            Some(_) => return Err(broken(&format!("{} has changed since it was written", wanted.name))),
            None => return Err(broken(&format!("{} is missing", wanted.name))),
        }
    }
    if let Some(name) = found.into_keys().next() {
        return Err(broken(&format!("{name} is not in its manifest")));
    }
    let has = |name: &str| manifest.entries.iter().any(|entry| entry.name == name);
    match manifest.columns.keys().find(|table| !has(&table_file(table))) {
        Some(table) => Err(broken(&format!("it has no rows of {table}"))),
        None if manifest.columns.is_empty() => Err(broken("it has no database")),
        None => Ok(Said { manifest, text, signature }),
    }
}

/// Whether a path is one that we write: relative, without steps upwards, in one of our places.
fn is_known(path: &Path) -> bool {
    let plain = path.components().all(|part| matches!(part, Component::Normal(_)));
    let is = |name: &str| path == Path::new(name);
    let is_table = path.parent() == Some(Path::new(TABLES)) && path.extension().is_some_and(|e| e == "copy");
    plain
        && (is(MANIFEST)
            || is(SIGNATURE)
            || is_table
            || path == Path::new("keys").join(KEY_FILE)
            || path.starts_with("files"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> PathBuf {
        let folder = std::env::temp_dir().join(format!("sf-archive-{}", uuid::Uuid::now_v7().simple()));
        fs::create_dir_all(folder.join("files/avatars")).expect("a folder");
        fs::write(folder.join("files/avatars/a.webp"), b"picture").expect("a file");
        fs::write(folder.join("files/avatars/b.webp#1"), b"half").expect("a file");
        fs::write(folder.join("dump"), b"rows").expect("a file");
        folder
    }

    fn manifest() -> Manifest {
        Manifest {
            format: 2,
            soulforge: "0".into(),
            made_at: chrono::Utc::now(),
            postgresql: "18".into(),
            owner: "sf_owner".into(),
            migrations: BTreeMap::new(),
            rows: BTreeMap::new(),
            columns: [("public.users".to_owned(), vec!["user_id".to_owned()])].into(),
            sequences: BTreeMap::new(),
            entries: Vec::new(),
        }
    }

    fn written(folder: &Path) -> PathBuf {
        let archive = folder.join("backup.tar");
        let mut writer = Writer::create(&archive).expect("a new archive");
        writer.add_folder("files", &folder.join("files")).expect("files");
        assert!(writer.add(&table_file("public.users"), &folder.join("dump")).expect("the rows"));
        assert!(!writer.add("files/gone", &folder.join("gone")).expect("no error"));
        writer.add_folder("files", &folder.join("files")).expect("the same files once more");
        let vault = Vault::open(&folder.join("data"), None).expect("a key");
        writer.finish(manifest(), &vault).expect("a whole archive");
        archive
    }

    #[test]
    fn what_is_written_is_read() {
        let folder = place();
        let archive = written(&folder);
        let into = folder.join("out");
        let said = read(&archive, Some(&into)).expect("a whole archive");
        let names: Vec<&str> = said.manifest.entries.iter().map(|e| e.name.as_str()).collect();
        assert_eq!(names, ["files/avatars/a.webp", "tables/public.users.copy"]);
        assert!(said.signature.is_some());
        assert_eq!(fs::read(into.join("files/avatars/a.webp")).expect("a file"), b"picture");
        assert!(Writer::create(&archive).is_err(), "never over another backup");
        fs::remove_dir_all(folder).expect("tidy");
    }

    #[test]
    fn a_changed_or_cut_archive_is_refused() {
        let folder = place();
        let archive = written(&folder);
        let bytes = fs::read(&archive).expect("the archive");
        let at = bytes.windows(7).position(|w| w == b"picture").expect("its bytes");
        let mut changed = bytes.clone();
        changed.splice(at..at + 7, *b"pictuRe");
        fs::write(&archive, &changed).expect("written");
        assert!(read(&archive, None).expect_err("changed").contains("has changed"));
        for end in [at + 3, bytes.len() / 2, 700] {
            fs::write(&archive, bytes.get(..end).expect("a beginning")).expect("written");
            assert!(read(&archive, None).expect_err("cut").contains("not a whole backup"), "{end}");
        }
        fs::write(&archive, b"something else").expect("written");
        assert!(read(&archive, None).is_err());
        fs::remove_dir_all(folder).expect("tidy");
    }

    #[test]
    fn only_our_own_names_are_known() {
        for name in ["files/a/b", "tables/public.users.copy", "manifest.json", "manifest.sig", "keys/master.key"] {
            assert!(is_known(Path::new(name)), "{name}");
        }
        for name in [
            "../x",
            "files/../../x",
            "/etc/passwd",
            "keys/other",
            "pg/data",
            "",
            "tables/x.sql",
            "tables/a/b.copy",
            "database.dump",
        ] {
            assert!(!is_known(Path::new(name)), "{name}");
        }
    }
}
