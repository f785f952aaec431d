package scrub

import (
	"strings"
	"testing"
)

// A rule test is a command line in shell quoting and what has to be published; "=" means the same, without quotes.
type ruleTest struct{ line, want string }

func checkRules(t *testing.T, tests []ruleTest) {
	t.Helper()
	s := New(Scrubbed)
	for _, test := range tests {
		args := shellWords(test.line)
		want := test.want
		if want == "=" {
			want = strings.Join(args, " ")
		}
		if got := s.Command("x", args); got != want {
			t.Errorf("%s:\n got %s\nwant %s", test.line, got, want)
		}
	}
}

func TestRules_Keys(t *testing.T) {
	checkRules(t, []ruleTest{
		{"x password=a1", "x password=***"},
		{"x PassWord:a1b", "x PassWord:***"},
		{"x --password a1", "x --password ***"},
		{"x -password a1", "x -password ***"},
		{"x --db-password=a1=b,c", "x --db-password=***"},
		{"x -Dapp.db.password=a1", "x -Dapp.db.password=***"},
		{"x -Dpassword=a1", "x -Dpassword=***"},
		{"x /password:a1", "x /password:***"},
		{"x --passwd a1 --passphrase 'b c' --userpass d1", "x --passwd *** --passphrase *** --userpass ***"},
		{"x DB_PWD=a1 mysql_pwd=a2 PGPASSWORD=a3", "x DB_PWD=*** mysql_pwd=*** PGPASSWORD=***"},
		{"x --accessToken a1 --auth.token a2 GITHUB_TOKEN=a3", "x --accessToken *** --auth.token *** GITHUB_TOKEN=***"},
		{"x --api_key a1 --APIKey a2 --apikey a3 --x-api-key=a4", "x --api_key *** --APIKey *** --apikey *** --x-api-key=***"},
		{"x --client-secret a1 --secretKey a2 --aws-secret-access-key a3", "x --client-secret *** --secretKey *** --aws-secret-access-key ***"},
		{"x --bearer a1b --cookie a2b --credentials a3b --stripetoken a4b", "x --bearer *** --cookie *** --credentials *** --stripetoken ***"},
		{"x --auth bob:a1 --session 9fK2mQx7Lw --signature 9fK2mQx7Lw", "x --auth *** --session *** --signature ***"},
		{"x PASSWORD_OLD=a1 TOKEN2=b1 PASSWORD_ADMIN=c1 password_hash=d1", "x PASSWORD_OLD=*** TOKEN2=*** PASSWORD_ADMIN=*** password_hash=***"},
		{"PWD=/home/x OLDPWD=/srv x", "="},
		{"x --tokenizer gpt2 --max-tokens 512 --token-count 3 --pad-token '<pad>' --tokens 9", "="},
		{"x --password-file f --private-key-file=f --key-path=f --passfile f --token-url http://h", "="},
		{"x --auth-type ldap --authors bob --keyboard us --passes 3 --bypass x --password-stdin", "="},
		{"x --no-password bob --ask-pass bob --password --verbose", "="},
		{"x --private-key /etc/k.pem --credentials c.json --token-ttl 3", "="},
		{"x --token $TOKEN --password ${PW} --secret <secret> --token=***", "="},
		{"x token:8080 auth-token:1.2.3 secret:/run/secrets rake password:reset", "="},
		{"pip install secrets==1.0 token==abc", "="},
	})
}

func TestRules_Lists(t *testing.T) {
	checkRules(t, []ruleTest{
		{"x 'Server=h;Password=a b;Encrypt=yes'", "x Server=h;Password=***;Encrypt=yes"},
		{"x user=bob,password=a1,uid=3", "x user=bob,password=***,uid=3"},
		{"x 'host=h password=a1 user=bob'", "x host=h password=*** user=bob"},
		{`x '{"user":"bob","password":"a \"1","n":3}'`, `x {"user":"bob","password":"***","n":3}`},
		{`x '{ "a": {"token": "a1b"}, "max_tokens": 5 }'`, `x { "a": {"token": "***"}, "max_tokens": 5 }`},
		{"x 'token=>\"a1b\", n=>2'", "x token=>\"***\", n=>2"},
		{"x -e 'PASSPHRASE=correct horse battery'", "x -e PASSPHRASE=***"},
		{"x 'OPTS=-Xmx1g -Dpassword=a1 -Dn=2'", "x OPTS=-Xmx1g -Dpassword=*** -Dn=2"},
		{"python -c 'f(password=\"a 1\", n=2)'", "python -c f(password=\"***\", n=2)"},
	})
}

func TestRules_URLs(t *testing.T) {
	checkRules(t, []ruleTest{
		{"x postgres://bob:a1@h:5/d", "x postgres://bob:***@h:5/d"},
		{"x redis://:a1@h", "x redis://:***@h"},
		{"x https://bob:a@b/c@h/d", "x https://bob:***@b/c@h/d"},
		{"x amqp://bob:a/1@h/d", "x amqp://bob:***@h/d"},
		{"x nats://a:b1@h1,nats://c:d1@h2", "x nats://a:***@h1,nats://c:***@h2"},
		{"x https://0123456789abcdef01234567@h/p", "x https://***@h/p"},
		{"x 'http://h/p?a=1&token=b1&c=2#d'", "x http://h/p?a=1&token=***&c=2#d"},
		{"x 'http://h/p?sv=1&sig=AbC1dEf2GhI3%3D&se=2'", "x http://h/p?sv=1&sig=***&se=2"},
		{"x bob:a1@tcp(h:3306)/d", "x bob:***@tcp(h:3306)/d"},
		{"x jdbc:oracle:thin:bob/a1@//h:1521/s", "x jdbc:oracle:thin:bob/***@//h:1521/s"},
		{"x --dsn bob:a1@h:5/d", "x --dsn bob:***@h:5/d"},
		{"x https://bob@h/p git@h:p ssh://git@h/p http://h:80/@s/p http://[::1]:80/ http://$U:$P@h/", "="},
		{"x jdbc:oracle:thin:@h:1521:xe http://h/p?next=/a&key=name", "="},
	})
}

func TestRules_Headers(t *testing.T) {
	checkRules(t, []ruleTest{
		{"curl -H 'Authorization: Bearer a1'", "curl -H Authorization: Bearer ***"},
		{"curl -H 'authorization: a1 b1'", "curl -H authorization: ***"},
		{"curl '-HX-Api-Key: a1'", "curl -HX-Api-Key: ***"},
		{"curl -H 'X-Api-Key: a1'", "curl -H X-Api-Key: ***"},
		{"curl --header='PRIVATE-TOKEN: a1b'", "curl --header=PRIVATE-TOKEN: ***"},
		{"curl -H 'Cookie: a=b1; c=d1'", "curl -H Cookie: ***"},
		{"sh -c \"curl -H 'X-Token: a1' h\"", "sh -c curl -H 'X-Token: ***' h"},
		{"x 'Bearer aB3dE5fG7hI9'", "x Bearer ***"},
		{"x 'Basic Ym9iOmh1bnRlcg=='", "x Basic ***"},
		{"curl -H 'Accept: text/html' -H 'Content-Type: a/b'", "="},
		{"git commit -m 'auth: fix login' -m 'token: add refresh' -m 'Basic Latin' -m 'bearer of news'", "="},
	})
}

func TestRules_Programs(t *testing.T) {
	checkRules(t, []ruleTest{
		{"mysql -uroot -pa1 d", "mysql -uroot -p*** d"},
		{"/usr/bin/mysqldump -p d", "="},
		{"sshpass -p a1 ssh -p 22 h", "sshpass -p *** ssh -p 22 h"},
		{"sshpass -pa1 ssh h", "sshpass -p*** ssh h"},
		{"curl -sSu bob:a1 h", "curl -sSu bob:*** h"},
		{"curl -U bob:a1 --proxy-user bob:a2 -ubob:a3 -u bob", "curl -U bob:*** --proxy-user bob:*** -ubob:*** -u bob"},
		{"curl -b sid=a1 -b jar.txt", "curl -b *** -b jar.txt"},
		{"redis-cli -h h -a a1 GET k", "redis-cli -h h -a *** GET k"},
		{"smbclient //h/s -U bob%a1", "smbclient //h/s -U bob%***"},
		{"ldapsearch -x -w a1 -b dc=x", "ldapsearch -x -w *** -b dc=x"},
		{"htpasswd -b f bob a1", "htpasswd -b f bob ***"},
		{"htpasswd -bnBC 10 bob a1", "htpasswd -bnBC 10 bob ***"},
		{"htpasswd f bob", "="},
		{"openssl enc -pass pass:a1 -k a2", "openssl enc -pass pass:*** -k ***"},
		{"openssl rsa -passin file:/f -passout env:PW", "="},
		{"docker login -u bob -p a1", "docker login -u bob -p ***"},
		{"docker run -p 80:80 --secret s -e A_KEY_FILE=/f img", "="},
		{"docker run -e TOKEN=a1b img", "docker run -e TOKEN=*** img"},
		{"zip -P a1 a.zip f", "zip -P *** a.zip f"},
		{"7z a -pa1 a.7z", "7z a -p*** a.7z"},
		{"aws --secret-access-key a1b s3 ls", "aws --secret-access-key *** s3 ls"},
		{"lftp -u bob,a1 h", "lftp -u bob,*** h"},
		{"sqlplus bob/a1@h", "sqlplus bob/***@h"},
		{"mount -t cifs -o user=bob,password=a1,ro //h/s /m", "mount -t cifs -o user=bob,password=***,ro //h/s /m"},
		{"mysql -e \"SET x; CREATE USER u IDENTIFIED BY 'a1'\"", "mysql -e SET x; CREATE USER u IDENTIFIED BY '***'"},
		{"ssh -p 2222 h", "="}, {"ps -u root", "="}, {"mkdir -p d", "="}, {"ninja -k 0", "="}, {"rsync -a b", "="}, {"cp -p a b", "="},
		{"nginx: master process", "="}, {"'postgres: bob d [local] idle'", "="}, {"grep -e token f", "="},
	})
}

func TestRules_Wrappers(t *testing.T) {
	for _, wrapper := range []string{
		"env A=b", "sudo -u bob", "sudo -E", "nohup", "nice -n 5", "time -f x", "timeout 5", "timeout -k 3 5", "setsid", "stdbuf -oL", "ionice -c 3",
		"strace -f -o /t", "xargs -n 1", "flock /t", "ssh bob@h", "docker exec -it c", "kubectl exec p --", "srun -n 4", "watch -n 5", "sudo nice -n 5 timeout 9",
	} {
		checkRules(t, []ruleTest{{wrapper + " mysql -pa1", wrapper + " mysql -p***"}})
	}
	checkRules(t, []ruleTest{
		{"sudo -u mysql tar -pxzf f", "="},
		{"docker run --name mysql -p3306:3306 mysql", "="},
	})
}

func TestRules_Scripts(t *testing.T) {
	checkRules(t, []ruleTest{
		{`sh -c "cd /x && mysql -p'a 1' d | gzip"`, "sh -c cd /x && mysql -p*** d | gzip"},
		{`bash -lc "A=b PGPASSWORD='a 1' psql; redis-cli -a a2 x"`, "bash -lc A=b PGPASSWORD='***' psql; redis-cli -a *** x"},
		{`sh -c "bash -c 'curl -u bob:a1 h'"`, "sh -c bash -c 'curl -u bob:*** h'"},
		{`ssh h "sudo sh -c \"mysql -pa1\""`, `ssh h sudo sh -c "mysql -p***"`},
		{`sh -c "curl -d '{\"password\":\"a1\"}' h"`, `sh -c curl -d '{"password":"***"}' h`},
		{`sh -c "echo a1 | docker login --password-stdin"`, "sh -c echo *** | docker login --password-stdin"},
		{`sh -c "echo bob:a1 | chpasswd"`, "sh -c echo bob:*** | chpasswd"},
		{`sh -c 'mysql -p$PW; T=$(cat /t) U=x --token "$tok"'`, "="},
		{`sh -c 'export TOKEN=$(cat /t); x --token "$TOKEN"'`, "="},
		{`'job: run --password a1 now'`, "job: run --password *** now"},
	})
}

func TestRules_Shapes(t *testing.T) {
	m := newMaker(7)
	s := New(Scrubbed)
	for _, name := range []string{"akia", "ghp", "gho", "ghs", "ghpat", "glpat", "glrt", "slack", "stripe", "aiza", "openai", "npm", "pypi", "rubygems",
		"hf", "sendgrid", "tskey", "newrelic", "vault", "nkey", "age", "jwt", "pem", "pemline", "crypt"} {
		for range 50 {
			secret := secrets[name](m)
			for _, args := range [][]string{{"x", secret}, {"x", "--opt=" + secret, "y"}, {"sh", "-c", "x '" + secret + "' y"}} {
				if got := s.Command("x", args); strings.Contains(got, secret) || strings.Contains(got, secret[8:]) {
					t.Errorf("%s: got %s", name, got)
				}
			}
		}
	}
	checkRules(t, []ruleTest{
		{"x " + "AKIA" + "ABCDEFGHIJKLMNOP" + " " + strings.Repeat("aB3+", 10), "x *** ***"},
		{"x '-----BEGIN CERTIFICATE----- abc'", "="},
		{"x '-----BEGIN EC " + "PRIVATE KEY----- abc' tail", "x ***"},
		{"x sk-learn-something-really-long npm_config_registry SU eyJ.x AKIAshort ghp_x pypi-server", "="},
		{"x sha256:" + strings.Repeat("0af", 21) + " /nix/store/" + strings.Repeat("0ab2c", 6) + "xy-x/bin/x", "="},
	})
}
