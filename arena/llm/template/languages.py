"""Recognises other languages than English and declines in them, with the way to use a model."""

from __future__ import annotations

import re

_WORDS: dict[str, tuple[str, str]] = {
    # Language: words that tell it for certain, words of which two do.
    "de": (
        r"kaufe?n?|kaufst|kauft|verkaufe?n?|verkauft|nachkaufen|steigt|fällt|gleitende[rn]?|durchschnitt|wenn|"
        r"überkauft|überverkauft|kurs|unter|über|halten|einsteigen|aussteigen|"
        r"kreuz(?:t|ung|en)|kreuzungen|gewinnmitnahme|verlust|bei gewinn|prozent|täglich|wöchentlich|stündlich|jede[nrs]?|"
        r"gleitend|strategie|handeln|werktags|montags|nachts|hälfte|ausbruch|tief|hoch",
        r"und|der|die|das|den|bei|von|mit|ist|auf|dann|sobald|ein|eine|im",
    ),
    "es": (
        r"compr(?:a|ar|e|o)|vend(?:e|er|a|o)|cuando|precio|media móvil|baje|suba|sube|cruce|cruza|encima|debajo|señal|"
        r"sobreventa|sobrecompra|estrategia|cada (?:día|hora|semana|lunes)|diario|ganancia|pérdida|mitad|invertir",
        r"el|la|los|y|de|por|con|que|del|una|un|en|si",
    ),
    "fr": (
        r"achet(?:er|e|ez|es)|vend(?:re|s|ez)|quand|lorsque?|prix|moyenne|croise|dessus|dessous|franchit|passe|hausse|baisse|"
        r"croisement|moyennes? mobiles?|chaque|jour|semaine|perte|stratégie|moitié|survente|surachat|achat|vente",
        r"le|la|les|et|de|du|des|une|un|sur|si|au|à",
    ),
    "pt": (
        r"compr(?:ar|e|a)|vend(?:er|a|e)|quando|preço|média|cruzar|acima|abaixo|cair|subir",
        r"o|os|e|de|do|da|com|uma|um|em|se|não",
    ),
    "it": (
        r"compra(?:re)?|vend(?:i|ere|e)|quando|prezzo|media mobile|incrocia|sopra|sotto|scende|sale|supera",
        r"il|lo|gli|e|di|della|del|con|una|un|se|la",
    ),
    "nl": (
        r"koop|kopen|verkoop|verkopen|wanneer|prijs|koers|boven|onder|gemiddelde|stijgt|daalt",
        r"de|het|een|en|van|met|als|bij|op|is",
    ),
}
_SCRIPTS = {"ja": r"[\u3040-\u30ff]", "ko": r"[\uac00-\ud7af]", "zh": r"[\u4e00-\u9fff]", "ru": r"[\u0400-\u04ff]"}
_DECLINED = {
    "de": "Die eingebauten Regeln verstehen nur Englisch. Schreiben Sie die Strategie auf Englisch, oder richten Sie "
    "ein Modell ein (OPENAI_MODEL und OPENAI_BASE_URL oder OPENAI_API_KEY): dann geht auch Deutsch.",
    "es": "Las reglas incorporadas solo entienden inglés. Escriba la estrategia en inglés, o configure un modelo "
    "(OPENAI_MODEL y OPENAI_BASE_URL u OPENAI_API_KEY): entonces también se puede en español.",
    "fr": "Les règles intégrées ne comprennent que l'anglais. Écrivez la stratégie en anglais, ou configurez un modèle "
    "(OPENAI_MODEL et OPENAI_BASE_URL ou OPENAI_API_KEY) : le français est alors possible.",
    "pt": "As regras incorporadas só entendem inglês. Escreva a estratégia em inglês ou configure um modelo "
    "(OPENAI_MODEL e OPENAI_BASE_URL ou OPENAI_API_KEY): então também funciona em português.",
    "it": "Le regole incorporate capiscono solo l'inglese. Scrivete la strategia in inglese, oppure configurate un "
    "modello (OPENAI_MODEL e OPENAI_BASE_URL o OPENAI_API_KEY): allora va bene anche l'italiano.",
    "nl": "De ingebouwde regels begrijpen alleen Engels. Schrijf de strategie in het Engels, of stel een model in "
    "(OPENAI_MODEL en OPENAI_BASE_URL of OPENAI_API_KEY): dan kan het ook in het Nederlands.",
    "ru": "Встроенные правила понимают только английский. Напишите стратегию по-английски или подключите модель "
    "(OPENAI_MODEL и OPENAI_BASE_URL или OPENAI_API_KEY): тогда можно и по-русски.",
    "zh": "内置规则只懂英语。请用英语写策略，或配置一个模型（OPENAI_MODEL 以及 OPENAI_BASE_URL 或 OPENAI_API_KEY），那样就可以用中文。",
    "ja": "組み込みのルールは英語しか理解できません。戦略を英語で書くか、モデルを設定してください"
    "（OPENAI_MODEL と OPENAI_BASE_URL または OPENAI_API_KEY）。そうすれば日本語でも書けます。",
    "ko": "내장 규칙은 영어만 이해합니다. 전략을 영어로 쓰거나 모델을 설정하세요"
    "(OPENAI_MODEL 과 OPENAI_BASE_URL 또는 OPENAI_API_KEY). 그러면 한국어도 됩니다.",
}


def language_of(prompt: str) -> str | None:
    """Return the language of a prompt that is not English, None where it seems to be."""
    for language, script in _SCRIPTS.items():
        if len(re.findall(script, prompt)) >= 2:
            return language
    text = prompt.lower()
    points: dict[str, int] = {}
    for language, (certain, usual) in _WORDS.items():
        strong = len(re.findall(rf"\b(?:{certain})\b", text))
        if strong:
            points[language] = 3 * strong + len(re.findall(rf"\b(?:{usual})\b", text))
    english = 3 * len(
        re.findall(r"\b(?:buy|sell|when|above|below|price|crosses|the|with|hold|over|under|then)\b", text)
    )
    best = max(points, key=lambda language: points[language], default=None)
    return best if best is not None and points[best] > english else None


def declined_in(language: str) -> str:
    """Return the sentence that declines in a language and names the way to use a model."""
    return _DECLINED[language]
