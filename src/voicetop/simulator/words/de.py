"""German."""

from __future__ import annotations

from voicetop.simulator.words.phrases import Phrases

PHRASES = Phrases(
    openings={
        "billing": (
            "Guten Tag, mir wurde diesen Monat zweimal abgebucht.",
            "Meine Rechnung ist vierzig Euro höher als sonst.",
            "Da steht eine Gebühr, die ich nicht kenne.",
        ),
        "account": ("Ich möchte meine Adresse ändern.", "Ich komme nicht mehr in mein Konto."),
        "orders": (
            "Wo bleibt meine Bestellung? Sie sollte Dienstag kommen.",
            "Ich möchte den Liefertermin ändern.",
        ),
        "tech_support": (
            "Mein Internet fällt alle paar Minuten aus.",
            "Die App öffnet sich seit dem Update nicht.",
        ),
        "returns": ("Ich möchte ein Paar Schuhe zurückschicken.", "Die Jacke kam in der falschen Größe."),
        "sales": ("Was würde mich der größere Tarif kosten?", "Ich habe Ihr Familienangebot gesehen."),
        "appointments": ("Ich muss meinen Termin am Freitag verschieben.", "Ist morgen früh etwas frei?"),
        "other": ("Ich weiß nicht, an wen ich mich wenden soll.", "Ich habe eine Frage zu Ihrem Brief."),
        "pricing_tiers": ("Es soll neue Preisstufen geben. Welche habe ich?", "Ersetzt Plus meinen Tarif?"),
    },
    answers={
        "billing": (
            "Ich sehe zwei Abbuchungen vom Dritten. Die zweite habe ich storniert.",
            "Der Unterschied sind Roaming-Gebühren vom Zwölften.",
        ),
        "account": (
            "Ihre neue Adresse ist gespeichert.",
            "Ich habe Ihnen einen Link zum Zurücksetzen geschickt.",
        ),
        "orders": (
            "Ihr Paket liegt im Depot und kommt morgen vor zwölf.",
            "Die Lieferung kommt jetzt am Donnerstag.",
        ),
        "tech_support": (
            "Ich habe die Leitung neu gestartet. Bitte den Router auch.",
            "Version 8.2 behebt das.",
        ),
        "returns": ("Das Rücksendeetikett ist in Ihrer Post.", "Der Umtausch in Größe M ist bestellt."),
        "sales": (
            "Der größere Tarif kostet fünfundfünfzig im Monat, ohne Laufzeit.",
            "Es sind vier Anschlüsse.",
        ),
        "appointments": (
            "Montag um zehn wäre frei, passt das?",
            "Morgen neun Uhr dreißig ist für Sie reserviert.",
        ),
        "other": ("Der Brief betrifft die neuen Bedingungen; Sie müssen nichts tun.", "Das notiere ich."),
        "pricing_tiers": (
            "Zu den neuen Stufen habe ich leider keine Einzelheiten.",
            "Ihr Tarif bleibt, wie er ist.",
        ),
    },
    caller={
        "ask_account": ("Vier vier acht zwei, eins neun.", "Moment… sieben null drei eins, fünf fünf."),
        "verify": ("Dritter Mai neunzehnhundertvierundachtzig.", "Die Postleitzahl ist 50667."),
        "intent_confirm": ("Ja, genau.", "Richtig, ja.", "Ja, deshalb rufe ich an."),
        "lookup": ("Gut, ich warte.", "Klar, bitte.", "Und wie lange dauert das?"),
        "resolve": (
            "Verstehe. Und das passiert nicht wieder?",
            "Und was muss ich tun?",
            "Mir wurde etwas anderes gesagt.",
        ),
        "confirm": ("Ja, bitte machen Sie das.", "Das passt für mich.", "Gut, danke schön."),
        "close": (
            "Nein, das war alles. Vielen Dank.",
            "Nein danke, tschüss.",
            "Das ging schnell. Auf Wiederhören!",
        ),
    },
    agent={
        "greeting": (
            "Gern. Wie ist Ihre Kundennummer?",
            "Das prüfe ich. Nennen Sie mir bitte Ihre Kundennummer?",
        ),
        "ask_account": ("Danke. Und Ihr Geburtsdatum oder Ihre Postleitzahl?",),
        "verify": ("Danke, ich habe Sie gefunden. Soll ich gleich nachsehen?",),
        "intent_confirm": ("Einen Moment, ich sehe nach.", "Gut, eine Sekunde."),
        "lookup": ("Ich habe es jetzt vor mir.", "Da ist es. Ich prüfe die Einzelheiten."),
        "confirm": ("Erledigt. Kann ich sonst noch etwas für Sie tun?", "Ist eingerichtet. Noch etwas?"),
        "close": ("Gern geschehen. Einen schönen Tag!", "Danke für Ihren Anruf. Auf Wiederhören."),
    },
    unheard=("Entschuldigung, das habe ich nicht verstanden. Sagen Sie es noch einmal?",),
    unavailable=("Ich erreiche unser System gerade nicht. Haben Sie einen Augenblick Geduld?",),
    again=("Hallo? Sind Sie noch da?", "Hallo? Hören Sie mich?"),
)
