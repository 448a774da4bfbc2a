"""Spanish."""

from __future__ import annotations

from voicetop.simulator.words.phrases import Phrases

PHRASES = Phrases(
    openings={
        "billing": (
            "Buenas, quiero saber por qué me cobraron dos veces.",
            "Mi factura subió cuarenta dólares este mes.",
            "Hay un cargo en mi cuenta que no reconozco.",
        ),
        "account": ("Necesito cambiar la dirección de mi cuenta.", "Ya no puedo entrar a mi cuenta."),
        "orders": (
            "¿Dónde está mi pedido? Tenía que llegar el martes.",
            "Quisiera cambiar la fecha de entrega.",
        ),
        "tech_support": (
            "El internet se me corta cada pocos minutos.",
            "La aplicación no abre desde la última actualización.",
        ),
        "returns": ("Quiero devolver unos zapatos.", "La chaqueta llegó en la talla equivocada."),
        "sales": ("¿Cuánto me costaría el plan más grande?", "Vi la oferta familiar en su página."),
        "appointments": ("Tengo que cambiar mi cita del viernes.", "¿Hay algo libre mañana por la mañana?"),
        "other": ("No sé con quién tengo que hablar.", "Tengo una duda sobre una carta que me enviaron."),
        "pricing_tiers": (
            "Leí que hay tarifas nuevas. ¿Cuál tengo yo?",
            "¿La tarifa Plus reemplaza mi plan?",
        ),
    },
    answers={
        "billing": (
            "Veo dos cargos del día tres. Ya anulé el segundo; se lo devuelven en tres días.",
            "La diferencia es un cargo de itinerancia del día doce.",
        ),
        "account": (
            "Su nueva dirección quedó guardada.",
            "Le envié un enlace para restablecer la contraseña.",
        ),
        "orders": (
            "Su paquete está en el almacén y llega mañana antes del mediodía.",
            "Pasé la entrega al jueves.",
        ),
        "tech_support": (
            "Reinicié la línea desde aquí. Apague y encienda el rúter una vez.",
            "La versión 8.2 lo corrige. ¿Puede actualizar e intentarlo?",
        ),
        "returns": (
            "La etiqueta está en su correo; el reembolso tarda cinco días.",
            "Pedí el cambio en talla M.",
        ),
        "sales": (
            "El plan grande cuesta cincuenta y cinco al mes, sin permanencia.",
            "Incluye cuatro líneas.",
        ),
        "appointments": ("Tengo el lunes a las diez, ¿le viene bien?", "Mañana a las nueve y media es suya."),
        "other": ("Esa carta es sobre las nuevas condiciones; no tiene que hacer nada.", "Lo dejo anotado."),
        "pricing_tiers": (
            "Me temo que no tengo los detalles de las nuevas tarifas.",
            "Por lo que veo, sigue igual.",
        ),
    },
    caller={
        "ask_account": (
            "Es el cuatro cuatro ocho dos, uno nueve.",
            "Un momento… siete cero tres uno, cinco cinco.",
        ),
        "verify": ("El tres de mayo de mil novecientos ochenta y cuatro.", "El código postal es 28013."),
        "intent_confirm": ("Sí, exactamente.", "Así es, sí.", "Sí, por eso llamo."),
        "lookup": ("Bueno, espero.", "Claro, adelante.", "¿Y eso cuánto tarda?"),
        "resolve": (
            "Ya veo. ¿Y no volverá a pasar?",
            "¿Y qué tengo que hacer?",
            "Mmm, la última vez me dijeron otra cosa.",
        ),
        "confirm": ("Sí, hágalo, por favor.", "Me parece bien.", "Sí, ese mismo."),
        "close": ("No, eso es todo. Muchas gracias.", "No, gracias, adiós.", "¡Qué rápido! Hasta luego."),
    },
    agent={
        "greeting": (
            "Con gusto le ayudo. ¿Me dice su número de cuenta?",
            "Claro, ¿cuál es su número de cuenta?",
        ),
        "ask_account": ("Gracias. ¿Y su fecha de nacimiento o código postal?",),
        "verify": ("Gracias, ya lo encontré. ¿Le reviso esto ahora mismo?",),
        "intent_confirm": ("Un momento, lo reviso.", "Muy bien, deme un segundo."),
        "lookup": ("Ya lo tengo delante.", "Aquí está. Estoy viendo los detalles."),
        "confirm": ("Listo. ¿Le puedo ayudar en algo más?", "Queda arreglado. ¿Algo más?"),
        "close": ("Con gusto. ¡Que tenga un buen día!", "Gracias por llamar. Adiós."),
    },
    unheard=("Perdone, no le entendí. ¿Me lo repite?",),
    unavailable=("Ahora mismo no puedo acceder al sistema. ¿Me espera un momento?",),
    again=("¿Hola? ¿Sigue ahí?", "¿Hola? ¿Me escucha?"),
)
