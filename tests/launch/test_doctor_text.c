// annulus doctor: what it reads out of text, with samples from several systems.
#include "support/check.h"

#include <stdio.h>
#include <string.h>
#include "launch/doctor/text.h"

static void processor_lists(void **state) {
    (void)state;
    static const struct {
        const char *text, *printed;
        int count;
    } good[] = {
        {"0", "0", 1},       {"0-3\n", "0-3", 4}, {"0,2,4-5", "0,2,4-5", 4}, {"0-1,64-65", "0-1,64-65", 4},
        {"3,1,2", "1-3", 3}, {"2047", "2047", 1}};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        doctor_cpus cpus;
        char buf[64];
        assert_true(doctor_cpus_parse(&cpus, good[i].text));
        assert_int_equal(doctor_cpus_count(&cpus), good[i].count);
        assert_string_equal(doctor_cpus_str(buf, sizeof buf, &cpus), good[i].printed);
    }
    static const char *const bad[] = {"", "a", "1-", "-1", "3-1", "1,", "1;2", "2048", "0-99999", "1 2"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        doctor_cpus cpus;
        assert_false(doctor_cpus_parse(&cpus, bad[i]));
        assert_int_equal(doctor_cpus_count(&cpus), 0);
    }
}

static void processor_sets(void **state) {
    (void)state;
    doctor_cpus a, b, c;
    char buf[16];
    assert_true(doctor_cpus_parse(&a, "0-3") && doctor_cpus_parse(&b, "3-5") && doctor_cpus_parse(&c, "100"));
    assert_true(doctor_cpus_meet(&a, &b));
    assert_false(doctor_cpus_meet(&a, &c));
    assert_false(doctor_cpus_equal(&a, &b));
    doctor_cpus_join(&a, &b);
    assert_string_equal(doctor_cpus_str(buf, sizeof buf, &a), "0-5");
    assert_true(doctor_cpus_have(&a, 5));
    assert_false(doctor_cpus_have(&a, 6));
    assert_false(doctor_cpus_have(&a, -1));
    assert_true(doctor_cpus_parse(&a, "0,2,4,6,8,10,12,14,16"));
    assert_string_equal(doctor_cpus_str(buf, sizeof buf, &a), "0,2,4,6,8,...");
}

static void versions(void **state) {
    (void)state;
    static const struct {
        const char *text;
        doctor_version v;
    } samples[] = {{"OpenPMIx 4.2.2rc2 (PMIx Standard: 4.1, Stable ABI: 0.0)", {4, 2, 2}},
                   {"4.2.2rc2", {4, 2, 2}},
                   {"PMIx 3.1", {3, 1, -1}},
                   {"pmix2 v2.1.0", {2, 1, 0}},
                   {"", {-1, -1, -1}},
                   {"unknown", {-1, -1, -1}},
                   {"7", {-1, -1, -1}}};
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
        const doctor_version v = doctor_version_in(samples[i].text);
        assert_int_equal(v.major, samples[i].v.major);
        assert_int_equal(v.minor, samples[i].v.minor);
        assert_int_equal(v.patch, samples[i].v.patch);
    }
    assert_true(doctor_version_below((doctor_version){2, 0, 3}, 2, 1));
    assert_true(doctor_version_below((doctor_version){1, 9, 0}, 2, 1));
    assert_false(doctor_version_below((doctor_version){2, 1, 0}, 2, 1));
    assert_false(doctor_version_below((doctor_version){3, 0, 0}, 2, 1));
}

static void slurm_plugins(void **state) {
    (void)state;
    static const struct {
        const char *text;
        bool list, pmix;
        int version;
    } samples[] = {
        /* Slurm 22.05, 23.11 without PMIx, 20.11, and what is no list */
        {"MPI plugin types are...\n\tpmi2\n\tnone\n\tcray_shasta\n\tpmix\nspecific pmix plugin versions "
         "available: pmix_v4\n",
         true, true, 4},
        {"MPI plugin types are...\n\tnone\n\tpmi2\n", true, false, 0},
        {"srun: MPI types are...\nsrun: none\nsrun: pmix_v2\nsrun: pmix\nsrun: pmix_v3\n", true, true, 3},
        {"MPI plugin types are...\n\tnone\n\tpmix\n", true, true, 0},
        {"srun: error: resolve_ctls_from_dns_srv: res_nsearch error: Unknown host\n", false, false, 0},
        {"", false, false, 0}};
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
        bool pmix;
        int version;
        assert_int_equal(doctor_slurm_plugins(samples[i].text, &pmix, &version), samples[i].list);
        assert_int_equal(pmix, samples[i].pmix);
        assert_int_equal(version, samples[i].version);
    }
}

static const char cluster[] =
    "22 1 253:0 / / rw,relatime shared:1 - xfs /dev/mapper/root rw,attr2\n"
    "24 22 0:21 / /proc rw,nosuid shared:14 - proc proc rw\n"
    "41 22 0:36 / /home rw,relatime shared:20 master:3 - nfs4 server:/home rw,vers=4.2\n"
    "42 22 0:37 / /scratch rw,flock - lustre 10.0.0.1@o2ib:/scratch rw,flock\n"
    "43 22 0:38 / /beegfs rw - beegfs beegfs_nodev rw,cfgFile=/etc/beegfs.conf\n"
    "44 22 0:39 / /gpfs rw - gpfs gpfs0 rw\n"
    "45 42 0:40 / /scratch/tmp ro,relatime - tmpfs tmpfs rw\n"
    "46 22 0:41 / /my\\040disk rw - ext4 /dev/sdb1 ro\n"
    "47 22 0:42 / /mnt rw - ext4 /dev/sdc1 rw\n"
    "48 22 0:43 / /mnt rw - tmpfs none rw\n";
/* Docker: the root is a layer, some files and folders are mounted from the host. */
static const char container[] =
    "1124 1021 0:98 / / rw,relatime master:300 - overlay overlay "
    "rw,lowerdir=/var/lib/docker/overlay2/l/A:/B\n"
    "1131 1130 0:101 / /dev/shm rw,nosuid,nodev,noexec,relatime - tmpfs shm rw,size=65536k\n"
    "1135 1124 8:1 /data /data rw,relatime - ext4 /dev/sda1 rw\n";

static void mounts(void **state) {
    (void)state;
    static const struct {
        const char *text, *path, *point, *type;
    } samples[] = {{cluster, "/home/u/run", "/home", "nfs4"},
                   {cluster, "/homes", "/", "xfs"},
                   {cluster, "/home", "/home", "nfs4"},
                   {cluster, "/scratch/u", "/scratch", "lustre"},
                   {cluster, "/beegfs/x", "/beegfs", "beegfs"},
                   {cluster, "/gpfs/x", "/gpfs", "gpfs"},
                   {cluster, "/scratch/tmp/x", "/scratch/tmp", "tmpfs"},
                   {cluster, "/my disk/x", "/my disk", "ext4"},
                   {cluster, "/mnt/x", "/mnt", "tmpfs"}, /* the later mount covers the earlier one */
                   {container, "/root/run", "/", "overlay"},
                   {container, "/dev/shm/x", "/dev/shm", "tmpfs"},
                   {container, "/data/x", "/data", "ext4"}};
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
        doctor_mount m;
        assert_true(doctor_mount_find(&m, samples[i].text, samples[i].path));
        assert_string_equal(m.point, samples[i].point);
        assert_string_equal(m.type, samples[i].type);
    }
    doctor_mount m;
    assert_false(doctor_mount_find(&m, "", "/x"));
    assert_false(doctor_mount_find(&m, "36 35 98:0 / /a rw\n", "/a"));
    assert_false(doctor_mount_find(&m, "36 35 98:0 / /a\\1", "/a")); /* no code of a character, and the end */
    assert_false(doctor_mount_find(&m, "nonsense\n1 2 3\n36 35 98:0 / /a rw master:1 ext3\n", "/a"));
}

static void file_systems(void **state) {
    (void)state;
    static const struct {
        int64_t magic;
        const char *name;
        doctor_fs kind;
    } samples[] = {{0x6969, "nfs", DOCTOR_FS_NETWORK},         {0xEF53, "ext4", DOCTOR_FS_LOCAL},
                   {0x01021994, "tmpfs", DOCTOR_FS_MEMORY},    {0x794C7630, "overlay", DOCTOR_FS_LAYER},
                   {0x0BD00BD0, "lustre", DOCTOR_FS_PARALLEL}, {0x47504653, "gpfs", DOCTOR_FS_PARALLEL},
                   {0x19830326, "beegfs", DOCTOR_FS_PARALLEL}};
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
        assert_string_equal(doctor_fs_name(samples[i].magic), samples[i].name);
        assert_int_equal(doctor_fs_kind(samples[i].name), samples[i].kind);
    }
    assert_string_equal(doctor_fs_name((int64_t)(int32_t)0x9123683E),
                        "btrfs"); /* f_type is signed on some systems */
    assert_null(doctor_fs_name(0x1234));
    assert_int_equal(doctor_fs_kind("nfs4"), DOCTOR_FS_NETWORK);
    assert_int_equal(doctor_fs_kind("newfs"), DOCTOR_FS_UNKNOWN);
}

static void control_groups(void **state) {
    (void)state;
    static const char first[] =
        "5:memory:/user\n4:cpu,cpuacct:/slurm/uid_0/job_7\n3:cpuset:/\n0::/init.scope\n";
    static const char second[] = "0::/system.slice/slurmstepd.scope/job_7/step_0\n";
    char path[64], small[8];
    assert_true(doctor_cgroup_find(path, sizeof path, first, "cpu"));
    assert_string_equal(path, "/slurm/uid_0/job_7");
    assert_true(doctor_cgroup_find(path, sizeof path, first, "cpuacct"));
    assert_string_equal(path, "/slurm/uid_0/job_7");
    assert_true(doctor_cgroup_find(path, sizeof path, first, ""));
    assert_string_equal(path, "/init.scope");
    assert_false(doctor_cgroup_find(path, sizeof path, second, "cpu"));
    assert_true(doctor_cgroup_find(path, sizeof path, second, ""));
    assert_string_equal(path, "/system.slice/slurmstepd.scope/job_7/step_0");
    assert_false(doctor_cgroup_find(small, sizeof small, second, ""));
    assert_false(doctor_cgroup_find(path, sizeof path, "", ""));
}

static void numbers(void **state) {
    (void)state;
    char buf[16];
    assert_true(doctor_quota("200000 100000") == 2);
    assert_true(doctor_quota("150000 100000\n") == 1.5);
    assert_true(doctor_quota("max 100000") == 0);
    assert_true(doctor_quota("-1 100000") == 0);
    assert_true(doctor_quota("") == 0);
    assert_string_equal(doctor_bytes_str(buf, sizeof buf, 0), "0 bytes");
    assert_string_equal(doctor_bytes_str(buf, sizeof buf, 1023), "1023 bytes");
    assert_string_equal(doctor_bytes_str(buf, sizeof buf, 1536), "1.5 KiB");
    assert_string_equal(doctor_bytes_str(buf, sizeof buf, 300.0 * 1024 * 1024), "300 MiB");
    assert_string_equal(doctor_bytes_str(buf, sizeof buf, 5e15), "4.44 PiB");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(processor_lists), cmocka_unit_test(processor_sets),
                                       cmocka_unit_test(versions),        cmocka_unit_test(slurm_plugins),
                                       cmocka_unit_test(mounts),          cmocka_unit_test(file_systems),
                                       cmocka_unit_test(numbers),         cmocka_unit_test(control_groups)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
