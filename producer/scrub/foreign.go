package scrub

import "bytes"

// foreignNouns are the words of other languages for what is secret, as fold writes them.
var foreignNouns = func() map[string]strength {
	nouns := make(map[string]strength)
	for got, words := range map[strength][]string{
		certain: {"contraseña", "contrasenya", "pasahitza", "kennwort", "passwort", "senha", "motdepasse", "parola", "parole", "wachtwoord", "hasło", "heslo",
			"geslo", "lozinka", "лозинка", "parool", "salasana", "salasõna", "slaptažodis", "jelszó", "şifre", "adgangskode", "kodeord", "passord",
			"lösenord", "lykilorð", "пароль", "парола", "κωδικός", "סיסמה", "סיסמא", "密码", "密碼", "口令", "パスワード", "暗証番号", "비밀번호", "암호",
			"matkhau", "รหัสผ่าน", "katasandi", "пассворд", "گذرواژه", "पासवर्ड", "գաղտնաբառ", "პაროლი"},
		likely: {"mdp", "clave", "clau", "geheim", "geheimnis", "schlüssel", "schluessel", "segreto", "secreto", "segredo", "sekret", "tajne", "hemlighet",
			"hemmelighed", "salaisuus", "titok", "секрет", "токен", "ключ", "秘密", "令牌", "密钥", "密鑰", "トークン", "토큰", "비밀", "jeton"},
	} {
		for _, word := range words {
			folded, _ := fold(word)
			nouns[folded] = got
		}
	}
	return nouns
}()

// foreignStrength judges a key by a last word of another language.
func foreignStrength(head, last []byte) (strength, bool) {
	if got, ok := foreignNouns[string(last)]; ok {
		return got, true
	}
	for _, phrase := range [...]struct{ head, last string }{{"mot_de", "passe"}, {"palavra", "passe"}, {"mat", "khau"}, {"kata", "sandi"}} {
		if string(last) == phrase.last && bytes.HasSuffix(head, []byte(phrase.head)) {
			return certain, true
		}
	}
	for _, noun := range [...]string{"passwort", "kennwort", "contrasena", "wachtwoord"} {
		if bytes.HasSuffix(last, []byte(noun)) {
			return certain, true
		}
	}
	return public, false
}
