//! Refuses a file system that several machines share: what one of them writes into the memory and the locks that `SQLite` coordinates its
//! processes by, the others do not see.

use std::path::Path;

use crate::store::Result;

/// Refuses a directory that is not on a disk of this machine.
#[cfg(target_os = "linux")]
pub(super) fn refuse(dir: &Path) -> Result<()> {
    use crate::store::StoreError;

    let io =
        |source: std::io::Error| StoreError::Io { doing: "find out the file system of", path: dir.to_owned(), source };
    let magic = u64::try_from(rustix::fs::statfs(dir).map_err(|error| io(error.into()))?.f_type).unwrap_or_default();
    // The numbers have 32 bits; where the system's type is a narrow one they come with a sign.
    let found = match magic & 0xffff_ffff {
        linux::FUSE => {
            let device = rustix::fs::stat(dir).map_err(|error| io(error.into()))?.st_dev;
            let device = (rustix::fs::major(device), rustix::fs::minor(device));
            // Without the table nobody can say what kind of file system it is.
            let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
            linux::network_fuse(&mounts, device).map(str::to_owned)
        }
        magic => linux::network(magic).map(str::to_owned),
    };
    found.map_or(Ok(()), |system| Err(StoreError::Network { place: dir.into(), system }))
}

/// Other systems are not asked.
#[cfg(not(target_os = "linux"))]
pub(super) fn refuse(_dir: &Path) -> Result<()> {
    Ok(())
}

#[cfg(target_os = "linux")]
mod linux {
    pub(super) const FUSE: u64 = 0x6573_5546;

    /// The network file systems of the kernel, by the numbers of `statfs(2)`.
    const NETWORK: [(u64, &str); 10] = [
        (0x6969, "NFS"),
        (0x517b, "SMB"),
        (0xff53_4d42, "CIFS"),
        (0xfe53_4d42, "SMB2"),
        (0x0102_1997, "9p"),
        (0x00c3_6400, "Ceph"),
        (0x0bd0_0bd0, "Lustre"),
        (0x5346_414f, "AFS"),
        (0x6b41_4653, "AFS"),
        (0x7375_7245, "Coda"),
    ];

    /// Those that run as a program. Others of that kind, such as encrypted directories, are on a disk of this machine.
    const NETWORK_FUSE: [&str; 17] = [
        "afpfs",
        "blobfuse",
        "blobfuse2",
        "ceph",
        "ceph-fuse",
        "curlftpfs",
        "davfs",
        "davfs2",
        "gcsfuse",
        "glusterfs",
        "goofys",
        "juicefs",
        "mount-s3",
        "rclone",
        "s3fs",
        "smbnetfs",
        "sshfs",
    ];

    /// The name of a network file system of the kernel.
    pub(super) fn network(magic: u64) -> Option<&'static str> {
        NETWORK.iter().find(|(number, _)| *number == magic).map(|(_, name)| *name)
    }

    /// The name of a network file system that runs as a program: what the table of mounts says of a device.
    pub(super) fn network_fuse(mounts: &str, (major, minor): (u32, u32)) -> Option<&'static str> {
        let device = format!("{major}:{minor}");
        let (_, details) = mounts
            .lines()
            .filter(|line| line.split(' ').nth(2) == Some(device.as_str()))
            .find_map(|line| line.split_once(" - "))?;
        let kind = details.split(' ').next()?.strip_prefix("fuse.")?;
        NETWORK_FUSE.into_iter().find(|name| *name == kind)
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn what_several_machines_share_is_told_from_a_disk_of_this_one() {
            let shared =
                [(0x6969, "NFS"), (0x517b, "SMB"), (0xff53_4d42, "CIFS"), (0xfe53_4d42, "SMB2"), (0x0102_1997, "9p")];
            for (magic, name) in shared {
                assert_eq!(network(magic), Some(name));
            }
            // ext4, btrfs, xfs, tmpfs, overlay, zfs, f2fs, and FUSE, which the number says too little of.
            let local = [0xef53, 0x9123_683e, 0x5846_5342, 0x0102_1994, 0x794c_7630, 0x2fc1_2fc1, 0xf2f5_2010, FUSE];
            for magic in local {
                assert_eq!(network(magic), None, "{magic:#x}");
            }
        }

        #[test]
        fn a_program_that_fetches_files_from_elsewhere_is_found_in_the_table_of_mounts() {
            let mounts = "\
36 35 98:0 / / rw,noatime - ext4 /dev/root rw
60 36 0:52 / /home/anna/far rw,nosuid - fuse.sshfs anna@far.example:/ rw
61 36 0:53 / /home/anna/sealed rw,nosuid shared:7 - fuse.gocryptfs /home/anna/.sealed rw
62 36 0:54 / /mnt/stick rw - fuseblk /dev/sdb1 rw";
            assert_eq!(network_fuse(mounts, (0, 52)), Some("sshfs"));
            for local in [(0, 53), (0, 54), (98, 0), (0, 99)] {
                assert_eq!(network_fuse(mounts, local), None, "{local:?}");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_disk_of_this_machine_is_taken() {
        super::refuse(&std::env::temp_dir()).unwrap();
    }
}
