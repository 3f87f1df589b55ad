"""Pure: the words by which mail programs mark quotes, forwards and signatures, language by language.

Owns word lists only; `quote_lines.py` reads lines with them. All entries are case-folded.
"""

from __future__ import annotations

# ruff: noqa: RUF001 - letters of other alphabets are what these lists are for


def words(listed: str) -> tuple[str, ...]:
    """Return the entries of a list above, longest first, so that an alternation takes the longest."""
    unique = {word.strip().casefold() for word in listed.split("|")} - {""}
    return tuple(sorted(unique, key=lambda word: (-len(word), word)))


# Labels of the header block that Outlook and its kin put above a quote, and which field each one is.
_LABELS = {
    "from": """from|von|de|da|van|od|от|от кого|від|fra|från|lähettäjä|feladó|kimden|gönderen|from address|expéditeur
        |remitente|mittente|afzender|nadawca|odesílatel|odosielateľ|expeditor|de la|från|avsändare|afsender|saatja|nuo|no
        |από|מאת|من|发件人|寄件者|寄件人|發件人|差出人|送信者|보낸 사람|보낸사람|보낸이|từ|dari|จาก|pošiljatelj|pošiljalac""",
    "sent": """sent|date|sent at|date sent|gesendet|gesendet am|datum|envoyé|envoyé le|envoye|envoye le|date d'envoi|message du
        |enviado|enviado el|enviado em|enviada|enviada em|enviada el|fecha|fecha de envío|data|data de envio|inviato|data invio
        |verzonden|verzonden op|skickat|datum|sendt|dato|lähetetty|päivämäärä|pvm|päiväys|wysłano|wysłane|data wysłania
        |odesláno|odoslané|poslano|dátum|elküldve|küldve|дата|отправлено|отправлен|надіслано|надіслана|trimis|trimisă
        |gönderildi|gönderilme tarihi|tarih|ημερομηνία|στάλθηκε|απεσταλμένα|נשלח|תאריך|تاريخ الإرسال|التاريخ|تم الإرسال
        |发送时间|發送時間|日期|时间|寄件日期|傳送時間|送信日時|日付|送信|보낸 날짜|날짜|전송|đã gửi|ngày|dikirim|tanggal|วันที่|saadetud|kuupäev
        |išsiųsta|nosūtīts|изпратено|poslato""",
    "to": """to|an|à|a|para|al|aan|naar|til|till|vastaanottaja|do|komu|pro|címzett|кому|до|kime|alıcı|către|catre|destinatario
        |destinataire|destinatário|empfänger|ontvanger|adresat|προς|אל|إلى|收件人|收件者|宛先|받는 사람|받는사람|받는이|đến|tới|kepada
        |ถึง|prima|za|kam|saaja""",
    "cc": """cc|kopie|kopie (cc)|copie|copie à|copie a|con copia|kopia|kopi|kopio|kopia do|dw|do wiadomości|копия|копія|másolat
        |bilgi|κοιν|κοινοποίηση|עותק|抄送|副本|참조|bcc|cci|cco|i kopia|kopie an|v kopii""",
    "subject": """subject|betreff|objet|asunto|oggetto|onderwerp|assunto|temat|ämne|emne|aihe|předmět|predmet|tárgy|тема
        |konu|θέμα|נושא|الموضوع|موضوع|主题|主旨|主題|件名|제목|chủ đề|tiêu đề|subjek|perihal|เรื่อง|subiect|subiectul|sujet|teema
        |tema|отнoсно|относно|assumpte|gaia""",
    "other": """reply-to|reply to|antwort an|répondre à|responder a|rispondi a|importance|wichtigkeit|priority|priorität
        |attachments|anlagen|pièces jointes|organization|message-id|sensitivity|newsgroups|sender""",
}
LABELS: dict[str, str] = {
    word.strip().casefold(): field for field, words in _LABELS.items() for word in words.split("|")
}

# What stands between dashes above a quote. A quote: the mail that is being answered.
ORIGINAL = frozenset(
    words("""original message|original mail|original email|original e-mail|originalnachricht|original-nachricht
        |originalmail|original-mail|ursprüngliche nachricht|ursprüngliche mail|ursprüngliche e-mail|message d'origine
        |message original|message initial|courriel original|mensaje original|mensaje de origen|messaggio originale
        |messaggio originario|mensagem original|oorspronkelijk bericht|origineel bericht|oorspronkelijke bericht
        |ursprungligt meddelande|originalmeddelande|oprindelig meddelelse|oprindelig besked|original meddelelse
        |oprindelig mail|opprinnelig melding|original melding|opprinnelig epost|alkuperäinen viesti|wiadomość oryginalna
        |oryginalna wiadomość|treść oryginalnej wiadomości|původní zpráva|původní e-mail|pôvodná správa|eredeti üzenet
        |исходное сообщение|оригинальное сообщение|исходное письмо|оригинал сообщения|початкове повідомлення
        |оригінальне повідомлення|mesajul original|mesaj original|orijinal mesaj|özgün ileti|orjinal mesaj|αρχικό μήνυμα
        |πρωτότυπο μήνυμα|הודעה מקורית|ההודעה המקורית|الرسالة الأصلية|رسالة أصلية|原始邮件|原始郵件|原邮件|原始邮件信息|元のメッセージ
        |オリジナルメッセージ|原始訊息|원본 메시지|원본 메일|original appointment|ursprünglicher termin|tin nhắn gốc|thư gốc|pesan asli
        |izvorna poruka|originalna poruka|izvirno sporočilo|оригинално съобщение|missatge original|algsõnum|originalus laiškas
        |sākotnējais ziņojums|reply message|replied message|quoted message|original message follows""")
)

# Likewise, but what follows was handed on by the person and is their content.
FORWARD = words(
    """forwarded message|begin forwarded message|forwarded mail|forwarded email|forwarded by|forwarded from
        |start of forwarded message|weitergeleitete nachricht|anfang der weitergeleiteten|weitergeleitete e-mail
        |weitergeleitet von|message transféré|message transmis|début du message transféré|début du message réexpédié
        |courriel transféré|transféré par|mensaje reenviado|inicio del mensaje reenviado|reenviado por
        |messaggio inoltrato|inizio messaggio inoltrato|inoltrato da|doorgestuurd bericht|begin doorgestuurd bericht
        |doorgestuurde e-mail|mensagem encaminhada|mensagem reencaminhada|início da mensagem|vidarebefordrat meddelande
        |vidarebefordrat brev|vidarebefordrat mail|videresendt meddelelse|videresendt besked|videresendt melding
        |start på videresendt|videresendt e-post|välitetty viesti|edelleenlähetetty viesti|välitetty alkaa
        |wiadomość przekazana|przekazana wiadomość|wiadomość przesłana dalej|początek przekazywanej wiadomości
        |přeposlaná zpráva|přeposlaný e-mail|předávaná zpráva|preposlaná správa|továbbított üzenet|továbbított levél
        |пересланное сообщение|пересылаемое сообщение|перенаправленное сообщение|начало переадресованного
        |переслане повідомлення|пересилане повідомлення|mesaj redirecționat|mesaj transmis mai departe|iletilen mesaj
        |iletilmiş mesaj|yönlendirilen ileti|προωθημένο μήνυμα|הודעה שהועברה|رسالة معاد توجيهها|转发的邮件|转发邮件|轉寄郵件
        |轉寄的郵件|転送メッセージ|転送されたメッセージ|전달된 메시지|전달된 메일|chuyển tiếp|pesan terusan|proslijeđena poruka
        |prosleđena poruka|posredovano sporočilo|препратено съобщение|missatge reenviat"""
)

# "wrote", at or near the end of the line above a quote.
WROTE = """wrote|writes|has written|schrieb|schrieb am|hat geschrieben|geschrieben|schreibt|a écrit|a ecrit|écrit|a-t-il écrit
    |écrivait|escribió|escribio|escribe|ha escrito|escreveu|escreve|ha scritto|scrisse|scrive|schreef|heeft geschreven
    |geschreven|skrev|skreiv|skriver|har skrivit|har skrevet|kirjoitti|napisał|napisała|napisał(a)|napisał/a|pisze|napsal
    |napsala|napsal(a)|napísal|napísala|napísal(a)|írta|ezt írta|написал|написала|написал(а)|писал|пишет|написав|написала
    |пише|писав|a scris|napisao|napisala|napisao/la|je napisao|je napisal|je napisala|napisal|написа|написао|έγραψε|yazdı
    |şunu yazdı|şunları yazdı|đã viết|menulis|כתב|כתבה|כתב/ה|كتب|ha escrit|va escriure|idatzi du|rašė|rakstīja|kirjutas"""
# The same in scripts without word breaks.
WROTE_UNSPACED = "写道|寫道|来信|написав|님이 작성|님이 쓴 글|작성:|さんが書きました|さんは書きました|のメール|のメッセージ|เขียนว่า"

# First words of a line above a quote; a number must follow soon.
OPENERS = """on|am|le|el|il|in data|op|em|no dia|den|dne|dňa|dnia|w dniu|på|v dni|dana|vào|pada|στις|la data de|pe|la|az
    |в|у|el día|il giorno|am|at|date|le jour|a|ngày|בתאריך|في|tarihinde|on the|kl"""
OPENERS_UNSPACED = "在|於|于|그|日期"

# A phone's or program's own line: one word of sending and one of the device (or "my") make it one.
SENT = """sent|get|envoyé|envoyée|obtenir|télécharger|gesendet|holen|versendet|verschickt|enviado|enviada|obtener|obtenga
    |descarga|inviato|inviata|ottieni|scarica|verzonden|verstuurd|download|downloaden|skickat|skickades|hämta|skaffa|sendt
    |få|hent|last|lähetetty|hanki|wysłane|wysłano|pobierz|odesláno|odoslané|získejte|küldve|elküldve|отправлено|надіслано
    |відправлено|изпратено|trimis|obțineți|gönderildi|edinin|στάλθηκε|εστάλη|απεσταλμένο|נשלח|أرسلت|أرسل|أُرسلت|gửi|dikirim
    |enviat|poslano|poslato|obter|obtenha|baixar|bidalia|saadetud|išsiųsta|nosūtīts|diese nachricht wurde"""
SENT_UNSPACED = "发自|發自|傳送|传送|来自我的|送信|보냄|보낸|에서 전송"
DEVICES = """my|mobile|phone|iphone|ipad|ipod|android|galaxy|samsung|htc|blackberry|nokia|huawei|xiaomi|redmi|pixel|oneplus
    |motorola|sony|xperia|lg|wiko|windows|outlook|yahoo|gmail|inbox|mailbox|airmail|bluemail|typeapp|protonmail|proton
    |tutanota|tuta|aquamail|k-9|spark|sparrow|fairmail|fairemail|thunderbird|newton|cloudmagic|edison|mail|mail.ru|yandex
    |gmx|web.de|t-online|aol|zoho|hey|superhuman|polymail|mailspring|nine|device|tablet|handy|smartphone|cell|tel
    |mobiltelefon|mobilgerät|telefon|teléfono|telefono|telefoon|téléphone|portable|mobil|mobiel|móvil|móvel|celular
    |puhelin|komórki|mon|ma|mein|meinem|meiner|mi|mis|mio|mia|meu|minha|mijn|min|mitt|minun|mojego|mého|môjho|моего|мого
    |мой|ordinateur|bærbar|torch|watch|mac|ios|telefonului|iphone'umdan|iphone'dan|לי|שלי|الـ|cihazımdan|telefonumdan"""

# Says that a "##" line is the one of our notices and not a heading somebody typed.
ABOVE = """above|oberhalb|über dieser|dessus|au-dessus|encima|por encima|sopra|boven|acima|powyżej|ovan|ovenfor|over denne|yläpuolelle
    |nad touto|nad tento|nad tímto|выше|вище|fölé|deasupra|üstüne|παραπάνω|πάνω|之上|以上|より上|上方|위에"""

# A mailing list's footer below a line of underscores.
LIST_FOOTER = (
    "mailing list",
    "mailman/listinfo",
    "unsubscribe",
    "mailingliste",
    "liste de diffusion",
    "listinfo",
)
