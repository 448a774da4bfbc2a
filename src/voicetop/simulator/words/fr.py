"""French."""

from __future__ import annotations

from voicetop.simulator.words.phrases import Phrases

PHRASES = Phrases(
    openings={
        "billing": (
            "Bonjour, j'ai été débité deux fois ce mois-ci.",
            "Ma facture a augmenté de quarante euros.",
            "Il y a des frais que je ne reconnais pas.",
        ),
        "account": (
            "Je voudrais changer l'adresse de mon compte.",
            "Je n'arrive plus à accéder à mon compte.",
        ),
        "orders": ("Où est ma commande ? Elle devait arriver mardi.", "Je voudrais décaler la livraison."),
        "tech_support": (
            "Ma connexion coupe toutes les cinq minutes.",
            "L'appli ne s'ouvre plus depuis la mise à jour.",
        ),
        "returns": ("Je souhaite renvoyer une paire de chaussures.", "La veste n'est pas à la bonne taille."),
        "sales": ("Combien coûterait le forfait supérieur ?", "J'ai vu l'offre famille sur votre site."),
        "appointments": (
            "Je dois déplacer mon rendez-vous de vendredi.",
            "Avez-vous une place demain matin ?",
        ),
        "other": ("Je ne sais pas à qui m'adresser.", "J'ai reçu un courrier que je ne comprends pas."),
        "pricing_tiers": (
            "J'ai lu qu'il y a de nouveaux tarifs. Lequel ai-je ?",
            "Le tarif Plus remplace mon forfait ?",
        ),
    },
    answers={
        "billing": (
            "Je vois deux débits le trois. J'ai annulé le second ; vous serez remboursé sous trois jours.",
            "La différence vient de l'itinérance du douze.",
        ),
        "account": (
            "Votre nouvelle adresse est enregistrée.",
            "Je vous ai envoyé un lien de réinitialisation.",
        ),
        "orders": (
            "Votre colis est au dépôt ; il arrive demain avant midi.",
            "La livraison est décalée à jeudi.",
        ),
        "tech_support": (
            "J'ai relancé la ligne. Redémarrez la box une fois.",
            "La version 8.2 corrige cela.",
        ),
        "returns": ("L'étiquette de retour est dans vos e-mails.", "J'ai commandé l'échange en taille M."),
        "sales": (
            "Le forfait supérieur est à cinquante-cinq euros, sans engagement.",
            "Il couvre quatre lignes.",
        ),
        "appointments": (
            "J'ai lundi à dix heures, cela vous convient ?",
            "Demain neuf heures trente, c'est noté.",
        ),
        "other": ("Ce courrier concerne les nouvelles conditions ; rien à faire.", "J'en prends note."),
        "pricing_tiers": (
            "Je n'ai pas le détail des nouveaux tarifs, désolé.",
            "Votre forfait reste le même.",
        ),
    },
    caller={
        "ask_account": (
            "C'est le quatre quatre huit deux, un neuf.",
            "Attendez… sept zéro trois un, cinq cinq.",
        ),
        "verify": ("Le trois mai mille neuf cent quatre-vingt-quatre.", "Le code postal, c'est 69003."),
        "intent_confirm": ("Oui, exactement.", "C'est bien ça.", "Oui, c'est pour ça que j'appelle."),
        "lookup": ("D'accord, j'attends.", "Allez-y.", "Et ça prend combien de temps ?"),
        "resolve": (
            "Je vois. Et ça ne se reproduira pas ?",
            "Et que dois-je faire ?",
            "On m'avait dit autre chose.",
        ),
        "confirm": ("Oui, faites cela, s'il vous plaît.", "Ça me convient.", "Très bien, merci."),
        "close": (
            "Non, c'est tout. Merci beaucoup.",
            "Non merci, au revoir.",
            "C'était rapide. Bonne journée !",
        ),
    },
    agent={
        "greeting": (
            "Je m'en occupe. Quel est votre numéro de compte ?",
            "Bien sûr. Votre numéro de compte ?",
        ),
        "ask_account": ("Merci. Et votre date de naissance ou code postal ?",),
        "verify": ("Merci, je vous ai trouvé. Je regarde cela maintenant ?",),
        "intent_confirm": ("Un instant, je vérifie.", "Très bien, une seconde."),
        "lookup": ("Je l'ai sous les yeux.", "Voilà. Je vérifie les détails."),
        "confirm": ("C'est fait. Puis-je faire autre chose pour vous ?", "C'est réglé. Autre chose ?"),
        "close": ("Je vous en prie. Bonne journée !", "Merci de votre appel. Au revoir."),
    },
    unheard=("Pardon, je n'ai pas compris. Pouvez-vous répéter ?",),
    unavailable=("Je n'arrive pas à joindre le système. Pouvez-vous patienter ?",),
    again=("Allô ? Vous êtes toujours là ?", "Allô ? Vous m'entendez ?"),
)
