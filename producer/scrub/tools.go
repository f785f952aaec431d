package scrub

// toolFamilies lists the programs that take secrets in ways of their own, and those that run other programs.
// It is only read.
var toolFamilies = []family{
	{[]string{"mysql", "mysqldump", "mysqladmin", "mysqlimport", "mysqlshow", "mysqlcheck", "mysqlslap", "mysqlbinlog", "mysqlpump",
		"mariadb", "mariadb-dump", "mariadb-admin", "mariadb-import", "mariadb-show", "mariadb-check", "mariadb-binlog", "mariadb-slap",
		"mydumper", "myloader", "xtrabackup", "mariabackup", "innobackupex", "mysql_upgrade"},
		tool{options: []option{{"-p", attached, whole}, {"--password", attached, whole}}}},
	{[]string{"sshpass"}, tool{options: []option{{"-p", either, whole}}, runs: true}},
	{[]string{"curl", "curlie"}, tool{
		options: []option{{"-u", either, afterColon}, {"--user", either, afterColon}, {"-U", either, afterColon}, {"--proxy-user", either, afterColon},
			{"-b", either, cookie}, {"-E", either, afterColon}, {"--cert", either, afterColon}, {"--proxy-cert", either, afterColon}, {"-x", either, beforeAt},
			{"--proxy", either, beforeAt}, {"--pass", either, whole}},
		takes: "AbcCdDeEFhHKmMoPQrtTuUwxXyYz"}},
	{[]string{"wget", "wget2"}, tool{options: []option{{"-u", either, afterColon}, {"--user", either, afterColon}, {"--proxy-user", either, afterColon}}}},
	{[]string{"http", "https", "xh", "xhs"}, tool{options: []option{{"-a", either, afterColon}, {"--auth", either, afterColon}}}},
	{[]string{"ab"}, tool{options: []option{{"-A", either, afterColon}, {"-P", either, afterColon}, {"-C", either, cookie}}}},
	{[]string{"hey", "siege"}, tool{options: []option{{"-a", either, afterColon}}}},
	{[]string{"etcdctl", "influx"}, tool{options: []option{{"--user", either, afterColon}}}},
	{[]string{"redis-cli", "valkey-cli", "keydb-cli"}, tool{
		options:   []option{{"-a", separate, whole}, {"--pass", separate, whole}},
		positions: []position{{"AUTH", -1, whole}, {"auth", -1, whole}, {"requirepass", 1, whole}, {"masterauth", 1, whole}}}},
	{[]string{"smbclient", "rpcclient", "smbget", "net", "smbcacls", "smbtree", "winexe", "wbinfo", "nmblookup"}, tool{
		options: []option{{"-U", either, afterPercent}, {"--user", either, afterPercent}, {"-A", either, nothing}}}},
	{[]string{"ldapsearch", "ldapadd", "ldapmodify", "ldapdelete", "ldapwhoami", "ldapcompare", "ldapmodrdn", "ldapexop", "ldapurl"}, tool{
		options: []option{{"-w", either, whole}}}},
	{[]string{"ldappasswd"}, tool{options: []option{{"-w", either, whole}, {"-s", either, whole}, {"-a", either, whole}}}},
	{[]string{"slappasswd"}, tool{options: []option{{"-s", either, whole}}}},
	{[]string{"htpasswd"}, tool{options: []option{{"-b", last, whole}}, takes: "C"}},
	{[]string{"openssl"}, tool{
		options:   []option{{"-k", separate, whole}, {"-K", separate, whole}, {"-hmac", separate, whole}, {"-psk", separate, whole}},
		positions: []position{{"passwd", -1, whole}}}},
	{[]string{"docker", "podman", "nerdctl"}, tool{
		options: []option{{"-p", either, whole}, {"--secret", either, nothing}}, only: "login", runs: true, search: true}},
	{[]string{"buildah", "skopeo", "crane", "helm", "oras", "az", "oc", "cf", "heroku", "rancher", "ghcr-login", "bw", "argocd"}, tool{
		options: []option{{"-p", either, whole}, {"--secret", either, nothing}}, only: "login"}},
	{[]string{"kubectl", "k3s", "microk8s", "minikube", "kubectl.exe"}, tool{options: []option{{"--secret", either, nothing}}, runs: true, search: true}},
	{[]string{"aws"}, tool{options: []option{{"--secret-id", either, nothing}}, bare: true}},
	{[]string{"gh"}, tool{options: []option{{"-b", either, whole}, {"--body", either, whole}}, only: "secret"}},
	{[]string{"zip", "zipcloak"}, tool{options: []option{{"-P", either, whole}}}},
	{[]string{"unzip"}, tool{options: []option{{"-P", either, whole}}}},
	{[]string{"7z", "7za", "7zr", "7zz", "rar", "unrar"}, tool{options: []option{{"-p", attached, whole}, {"-hp", attached, whole}}}},
	{[]string{"mongo", "mongosh", "mongodump", "mongorestore", "mongoexport", "mongoimport", "mongostat", "mongotop", "mongofiles"}, tool{
		options: []option{{"-p", either, whole}}}},
	{[]string{"cqlsh", "dse", "nodetool"}, tool{options: []option{{"-p", separate, whole}, {"-pw", separate, whole}}}},
	{[]string{"sqlcmd", "bcp", "tsql", "isql", "fisql"}, tool{options: []option{{"-P", either, whole}}}},
	{[]string{"sqlplus", "sqlldr", "expdp", "impdp", "exp", "imp", "rman"}, tool{positions: []position{
		{"", 1, afterSlash}, {"", 2, afterSlash}, {"target", 1, afterSlash}}}},
	{[]string{"ipmitool", "impitool"}, tool{options: []option{{"-P", either, whole}}, positions: []position{{"password", 2, whole}}}},
	{[]string{"snmpwalk", "snmpget", "snmpset", "snmpgetnext", "snmpbulkwalk", "snmpbulkget", "snmptrap", "snmpstatus", "snmptable"}, tool{
		options: []option{{"-c", either, whole}, {"-A", either, whole}, {"-X", either, whole}}}},
	{[]string{"xfreerdp", "wlfreerdp", "xfreerdp3", "sdl-freerdp"}, tool{options: []option{{"/p", attached, whole}}}},
	{[]string{"rdesktop"}, tool{options: []option{{"-p", either, whole}}}},
	{[]string{"lftp"}, tool{options: []option{{"-u", either, afterComma}}}},
	{[]string{"ncftp", "ncftpput", "ncftpget", "ncftpls"}, tool{options: []option{{"-p", either, whole}}}},
	{[]string{"mosquitto_pub", "mosquitto_sub", "mosquitto_rr"}, tool{options: []option{{"-P", either, whole}}}},
	{[]string{"mosquitto_passwd"}, tool{options: []option{{"-b", last, whole}}}},
	{[]string{"ssh-keygen"}, tool{options: []option{{"-N", either, whole}, {"-P", either, whole}}}},
	{[]string{"useradd", "usermod", "groupadd"}, tool{options: []option{{"-p", separate, whole}}}},
	{[]string{"pkcs11-tool", "pkcs15-tool", "p11tool", "softhsm2-util", "yubico-piv-tool", "ykman"}, tool{
		options: []option{{"-p", separate, whole}, {"--pin", either, whole}, {"--so-pin", either, whole}, {"--puk", either, whole}}}},
	{[]string{"wpa_passphrase"}, tool{positions: []position{{"", 2, whole}}}},
	{[]string{"vault", "bao"}, tool{positions: []position{{"login", 1, random}, {"unseal", 1, random}}, bare: true}},
	{[]string{"mc", "mcli"}, tool{positions: []position{{"set", 4, whole}, {"add", 4, whole}, {"user", 4, whole}}}},
	{[]string{"rabbitmqctl"}, tool{positions: []position{{"add_user", 2, whole}, {"change_password", 2, whole}, {"authenticate_user", 2, whole}}}},
	{[]string{"xauth"}, tool{positions: []position{{"add", 3, whole}}}},
	{[]string{"nmcli"}, tool{positions: []position{{"password", 1, whole}}, bare: true}},
	{[]string{"git", "npm", "yarn", "pnpm", "composer", "pip", "pip3", "gcloud", "wpa_cli", "conda"}, tool{bare: true}},
	{[]string{"chpasswd"}, tool{}},

	{[]string{"sudo"}, tool{takes: "ughpCrtTDRU", runs: true}},
	{[]string{"env"}, tool{takes: "uCS", runs: true}},
	{[]string{"nice"}, tool{takes: "n", runs: true}},
	{[]string{"timeout"}, tool{takes: "ks", runs: true, skip: 1}},
	{[]string{"stdbuf"}, tool{takes: "ioe", runs: true}},
	{[]string{"ionice"}, tool{takes: "cnpPu", runs: true}},
	{[]string{"strace", "ltrace"}, tool{takes: "aebEIoOpPsSuUX", runs: true}},
	{[]string{"taskset", "chrt", "chroot", "flock", "gosu", "su-exec"}, tool{takes: "wE", runs: true, skip: 1}},
	{[]string{"time"}, tool{takes: "fo", runs: true}},
	{[]string{"xargs"}, tool{takes: "adEILnPs", runs: true}},
	{[]string{"ssh"}, tool{takes: "BbcDEeFIiJLlmOopQRSWw", runs: true, skip: 1}},
	{[]string{"nohup", "setsid", "doas", "exec", "command", "builtin", "eatmydata", "fakeroot", "proxychains", "proxychains4", "catchsegv",
		"busybox", "toybox", "tini", "dumb-init", "catatonit"}, tool{runs: true}},
	{[]string{"srun", "mpirun", "mpiexec", "systemd-run", "nsenter", "unshare", "watch", "parallel", "numactl", "firejail", "bwrap", "setpriv",
		"cgexec", "prlimit", "capsh", "su", "runuser", "start-stop-daemon", "docker-compose", "lxc", "machinectl", "kubectl-exec", "nomad"},
		tool{runs: true, search: true}},
}
