"""English."""

from __future__ import annotations

from voicetop.simulator.words.phrases import Phrases

PHRASES = Phrases(
    openings={
        "billing": (
            "Hi, I was charged twice this month and I'd like to know why.",
            "My bill is forty dollars higher than usual.",
            "There's a fee on my statement I don't recognise.",
        ),
        "account": ("I need to change the address on my account.", "I can't get into my account any more."),
        "orders": (
            "Where's my order? It was due on Tuesday.",
            "I'd like to change the delivery date of my order.",
        ),
        "tech_support": (
            "My internet keeps dropping every few minutes.",
            "The app won't open since the last update.",
        ),
        "returns": ("I'd like to send back a pair of shoes.", "The jacket came in the wrong size."),
        "sales": ("What would the bigger plan cost me?", "I'm looking at the family offer on your website."),
        "appointments": (
            "I need to move my appointment on Friday.",
            "Is there anything free tomorrow morning?",
        ),
        "other": ("I'm not sure who to talk to about this.", "I have a question about a letter you sent me."),
        "pricing_tiers": (
            "I read about new price tiers. Which one am I on?",
            "Is the Plus tier replacing my plan?",
        ),
    },
    answers={
        "billing": (
            "I see two charges on the third. I've reversed the second one; it will be back in three days.",
            "The difference is a roaming charge from the twelfth.",
        ),
        "account": (
            "Your new address is saved. The next letter will go there.",
            "I've sent you a reset link.",
        ),
        "orders": (
            "Your parcel is at the depot and will be with you tomorrow before noon.",
            "I've moved the delivery to Thursday.",
        ),
        "tech_support": (
            "I've reset the line from here. Please restart the router once.",
            "Version 8.2 fixes that. Could you update and try again?",
        ),
        "returns": (
            "The return label is in your mail. The refund takes five days.",
            "I've ordered the exchange in medium.",
        ),
        "sales": (
            "The bigger plan is fifty-five a month, with no term.",
            "The family offer covers four lines.",
        ),
        "appointments": ("I have Monday at ten, would that suit you?", "Tomorrow at nine thirty is yours."),
        "other": (
            "That letter is about the new terms; you don't need to do anything.",
            "Let me note that down.",
        ),
        "pricing_tiers": (
            "I don't have details of the new tiers, I'm afraid.",
            "As far as I can see you keep your plan.",
        ),
    },
    caller={
        "ask_account": (
            "It's four four eight two, one nine.",
            "One moment… seven zero three one, double five.",
        ),
        "verify": ("May third, nineteen eighty-four.", "The postcode is nine four one one oh."),
        "intent_confirm": ("Yes, exactly.", "That's right, yes.", "Yes, that's why I'm calling."),
        "lookup": ("Okay, I'll wait.", "Sure, go ahead.", "And how long will that take?"),
        "resolve": (
            "I see. And it won't happen again?",
            "Okay, what do I need to do?",
            "Hm, that's not what I was told last time.",
        ),
        "confirm": ("Yes, please do that.", "That works for me.", "Okay, thank you."),
        "close": ("No, that's all. Thanks a lot.", "No thanks, bye.", "That was quick. Goodbye!"),
    },
    agent={
        "greeting": (
            "I can help with that. What's your account number, please?",
            "Happy to check. Could you give me your account number?",
        ),
        "ask_account": ("Thank you. And your date of birth or postcode, please?",),
        "verify": ("Thanks, I've found you. Let me make sure I got you right: shall I look into this now?",),
        "intent_confirm": ("One moment, I'm looking it up.", "Alright, give me a second."),
        "lookup": ("I have it in front of me now.", "Here it is. I'm just checking the details."),
        "confirm": ("Done. Is there anything else I can do for you?", "That's arranged. Anything else?"),
        "close": ("You're welcome. Have a good day!", "Thank you for calling. Goodbye."),
    },
    unheard=("Sorry, I didn't catch that. Could you say it again?",),
    unavailable=("I can't reach our system right now. Could you bear with me?",),
    again=("Hello? Are you still there?", "Hello? Can you hear me?"),
)
