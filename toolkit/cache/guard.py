"""Whether two prompts that an encoder finds alike may share an answer, read off their words; English and Chinese."""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise

from toolkit.errors import ToolkitError

RULES = ("negation", "numbers", "entities")

# Pairs a/b, variants with |. "Not a" is b of the first (legal), and is not of the others (buy).
_CONTRARY = """possible/impossible legal/illegal true/false valid/invalid safe/unsafe|dangerous correct/incorrect|wrong
healthy/unhealthy known/unknown necessary/unnecessary visible/invisible same/different required/optional
allow|allows|allowed|allowing|permitted/forbid|forbids|forbidden|prohibit|prohibited|ban|banned|deny|denied|disallow
可能/不可能 合法/非法|违法 正确/错误 安全/危险 允许/禁止 相同|一样/不同|不一样 有效/无效|失效 成功/失败"""
_OPPOSITE = """before/after most/least more/less|fewer best/worst better/worse good/bad first/last left/right on/off
in/out up/down max|maximum/min|minimum highest/lowest higher/lower high/low largest|biggest/smallest longest/shortest
fastest/slowest oldest/newest|youngest ascending/descending positive/negative above/below inside/outside login/logout
advantage|advantages|pros/disadvantage|disadvantages|cons bought/sold male/female north/south east/west
打开|开通|开启/关闭|关掉 增加/减少 提高|升高/降低 之前|以前/之后|以后 买|购买/卖|出售 借/还 最大/最小 最多/最少
最高/最低 最好/最差 最早/最晚 最长/最短 最快/最慢 升序/降序 绑定/解绑|解除绑定 安装/卸载 启用/禁用|停用 开始/结束
加密/解密 导入/导出 上传/下载 登录|登陆/登出|退出登录 注册/注销 进口/出口 收入/支出 存款/取款 转入/转出 充值/提现
优点|好处/缺点|坏处 连接/断开 添加/删除|移除 锁定/解锁 订阅/退订 上涨/下跌 有限/无限 有线/无线 大于/小于 高于/低于
左/右 男/女 第一/最后"""
_VERBS = """enable|activate/disable|deactivate install/uninstall increase|raise/decrease|reduce open/close
buy|purchase/sell import/export encrypt/decrypt encode/decode compress/decompress start|begin/stop|end include/exclude
upload/download add/remove|delete lock/unlock subscribe/unsubscribe connect/disconnect accept/reject|decline
agree/disagree borrow/lend deposit/withdraw maximise|maximize/minimise|minimize"""
_NO = """not no never none neither nothing nobody nowhere cannot without non unless unable dont cant wont isnt arent
wasnt werent doesnt didnt hasnt havent shouldnt couldnt wouldnt 不 没 没有 无 非 勿 未 否 别 不同意 通不过"""
_BETWEEN = "be been a an the very really that so even 太 很 是"  # not BETWEEN legal
_IN_ORDER = """zero one|first two three|third four|fourth five|fifth six|sixth seven|seventh eight|eighth nine|ninth
ten|tenth eleven|eleventh twelve|twelfth thirteen|thirteenth fourteen|fourteenth fifteen|fifteenth sixteen|sixteenth
seventeen|seventeenth eighteen|eighteenth nineteen|nineteenth"""


def _forms(verb: str) -> list[str]:
    stem = verb.removesuffix("e")
    return [verb, verb + "s", *(stem + end for end in ("ed", "ing", stem[-1] + "ed", stem[-1] + "ing"))]


def _longest_first(words: Iterable[str]) -> str:
    return "|".join(sorted(words, key=len, reverse=True))


_POLES = {  # of a word: its pair, its side, and whether "not" makes it the other side
    form: (pair, side, table is _CONTRARY)
    for table in (_CONTRARY, _OPPOSITE, _VERBS)
    for pair in table.split()
    for side, words in zip((1, -1), pair.split("/"), strict=True)
    for word in words.split("|")
    for form in (_forms(word) if table is _VERBS else [word])
}
_NEGATIONS, _SKIPPED = frozenset(_NO.split()), frozenset(_BETWEEN.split())
# Says no without negating: no. 5, not only, or not, and questions that expect yes ("Can't I pay?", not "Can't pay").
_IDLE = re.compile(
    r"\bno\. ?(?=[0-9#])|\bnot (?:only|just|merely|simply|to mention)\b|\bno (?:doubt|matter|wonder|problem)\b"
    r"|\bor (?:why )?not\b|\byes(?: or |/)no\b|\blast but not least\b|(?:^|[.!?,:;\n])\s{0,3}[a-z]{2,6}n't "
    r"(?=(?:i|you|he|she|it|we|they|there|this|that|the|my|your)\b)"
)
_ASKED = re.compile(r"([\u3400-\u9fff]{1,2})[不没]\1|(?<=[了过])没有?(?=\W|$)")  # 能不能, 吃了没有
# English words; Chinese poles; what only looks like a sign or pole (特别, 未来, 非去不可, 还有); all other characters.
_TERM = re.compile(
    r"[a-z]+(?:'[a-z]+)?|"
    + _longest_first(word for word in [*_POLES, "不同意", "通不过"] if not word.isascii() and word not in "借还")
    + "|不(?:过(?![期敏滤])|管(?!理)|断(?![电网])|停(?![电机止])|禁(?![止用])|妨(?!碍)|单(?!独)|光(?!滑)|如(?![期实])"
    "|[错仅但只止论久少由愧料幸良然锈丹]|得[不了已]|[能可]不|好意思|可思议)|[对了]不起|差不多|说不定|忍不住|[恨巴]不得"
    r"|非[常洲凡遗得]|非\w{1,6}不可(?=[吗呢的]|\b)|[南北西东是莫无]非|无数(?!据)|无[论疑聊锡穷辜奈比敌不]|无人机|无所谓"
    "|未来(?!得)|未免|[是能可与会]否|否[则定认决]|没收(?!到)|没准(?!备)|没关系|没落|没事|[沉淹埋出吞]没"
    "|[特级区分类性个识鉴辨告离派国差判送道有之各]别|别[人的墅名称致扭针处家克样]|凭借|借[助口鉴此记呗]"
    "|还[有是能可会要没不在想用需得好应让剩差]|没有|[\u3400-\u9fff]"
)


def _polarity(text: str) -> tuple[int, dict[tuple[str, int], str]]:
    """How many negations, and the word found of each side of each pair."""
    text, count, found, after_no = text.lower(), 0, {}, False
    if "no" in text or "n't" in text:
        text = _IDLE.sub(" ", text)
    for term in _TERM.findall(text if text.isascii() else _ASKED.sub(r"\1", text)):
        if term in _POLES:
            pair, side, contrary = _POLES[term]
            if after_no and contrary:
                count, side, term = count - 1, -side, "not " + term
            found[pair, side], after_no = term, False
        elif term in _NEGATIONS or term.endswith("n't"):
            count, after_no = count + 1, True
        elif term not in _SKIPPED:
            after_no = False
    return count, found


def _negation(asked: str, cached: str) -> str:
    (here_count, here), (there_count, there) = _polarity(asked), _polarity(cached)
    for (pair, side), word in here.items():
        if (pair, side) not in there and (pair, -side) in there and (pair, -side) not in here:
            return f"opposites: {word} / {there[pair, -side]}"
    return "negation differs" if here_count != there_count else ""


_SPELLED = {word: value for value, words in enumerate(_IN_ORDER.split()) for word in words.split("|")}
for _tens, _stem in enumerate(("twent", "thirt", "fort", "fift", "sixt", "sevent", "eight", "ninet"), 2):
    _SPELLED |= {_stem + "y": 10 * _tens, _stem + "ieth": 10 * _tens}
_SPELLED |= {"hundred": 100, "hundredth": 100, "thousand": 1000, "million": 10**6, "billion": 10**9}
_ONE = rf"(?:{_longest_first(_SPELLED)})\b"
_SPELLED["second"] = 2  # mostly a time, so a number only in "the second" and "twenty-second"
_DIGITS = dict(zip("零〇一二两三四五六七八九", (0, 0, 1, 2, 2, *range(3, 10)), strict=True))
_HAN = _DIGITS | {"十": 10, "百": 100, "千": 1000, "万": 10**4, "亿": 10**8}
_ZEROS = {"hundred": 2, "百": 2, "thousand": 3, "k": 3, "千": 3, "万": 4, "million": 6, "亿": 8, "billion": 9}
_NUMERAL = re.compile(rf"[0-9{''.join(_HAN)}]|\b{_ONE}|\bthe second\b")
_NUMBER = re.compile(  # numerals in 十分, 二手 and vague ones (几十) are none
    r"(?P<of>百分之)?(?:(?P<sign>(?<![^\s(=*/+,])[-−])?(?P<whole>[0-9]{1,3}(?:,[0-9]{3})+(?![0-9])|[0-9]+)"
    r"(?:\.(?P<part>[0-9]+))?(?: ?(?P<scale>hundred|thousand|[mb]illion|[百万亿]|千(?![克米瓦卡])|(?<! )k(?![a-z])))?"
    rf"|\b(?P<words>{_ONE}(?:(?:(?:(?<=hundred)|(?<=thousand)|(?<=million)) and |[ -]){_ONE}|(?<=ty)-second\b)*"
    r"|(?<=\bthe )second\b)|(?<![几数])(?!万一|千万|十[足字]|十分(?![钟之])|二[手维胡]|两[者边侧]|三[明星亚国角]|四川)"
    rf"(?P<han>[{''.join(_HAN)}]+))(?P<percent> ?(?:%|per ?cent\b))?"
)


def _plain(whole: str, part: str = "", zeros: int = 0) -> str:
    """A decimal number moved by ``zeros`` places, without idle zeros; as text, since int refuses very long ones."""
    rest = part[zeros:].rstrip("0")
    return ((whole + part[:zeros].ljust(zeros, "0")).lstrip("0") or "0") + ("." + rest if rest else "")


def _told(values: list[int], least_unit: int) -> list[int]:
    """Numerals in a row as numbers: 2 100 5 is 205, but 2 3 stays two; from ``least_unit`` on one multiplies."""
    numbers, stack, before = [], [], least_unit
    for value in values:
        if value >= least_unit:
            below = 0
            while stack and stack[-1] < value:
                below += stack.pop()
            value, before = (below or 1) * value, least_unit
        elif stack and before < least_unit and not (20 <= before < 100 and value < 10):
            numbers.append(sum(stack))
            stack, before = [], value
        else:
            before = value
        stack.append(value)
    return [*numbers, sum(stack)]


def _han(run: str) -> list[str]:
    """三千五 is 3500, 二〇二四 2024, and a unit alone (百度, 万能) nothing."""
    values = [_HAN[char] for char in run]
    if max(values) < 10:
        return [_plain("".join(map(str, values)))]
    if len(run) == 1 and run != "十":
        return []
    if len(run) > 1 and values[-1] < 10 and values[-2] > 10:
        values += [values[-2] // 10]
    return list(map(str, _told([value for value in values if value], 10)))


def _values(text: str) -> tuple[Counter[str], Counter[str]]:
    """The numbers of a text, and apart from them 0 and 1 in words, which are mostly something else (one of, 一下)."""
    sure, loose = Counter(), Counter()
    text = text.lower()
    for found in _NUMBER.finditer(text) if _NUMERAL.search(text) else ():
        of, sign, whole, part, scale, words, han, percent = found.groups()
        mark = "%" if of or percent else ""
        if whole:
            sure[("-" if sign else "") + _plain(whole.replace(",", ""), part or "", _ZEROS.get(scale, 0)) + mark] += 1
            continue
        values = [_SPELLED[word] for word in re.split("[ -]", words) if word != "and"] if words else []
        for number in map(str, _told(values, 100)) if words else _han(han):
            (loose if number in "01" and not mark else sure)[number + mark] += 1
    return sure, loose


def _numbers(asked: str, cached: str) -> str:
    (here, here_loose), (there, there_loose) = _values(asked), _values(cached)
    return _differ("numbers", list(here - there - there_loose), list(there - here - here_loose))


_TOKEN = re.compile(r"\d+|[\u3400-\u9fff]|[^\W\d_\u3400-\u9fff]+")
_QUOTED = re.compile(r'"([^"\n]{1,100})"|“([^”]{1,100})”|《([^》]{1,100})》|「([^」]{1,100})」')
_INITIALS = re.compile(r"\b(?:[A-Za-z]\.){2,}")
_NAME = re.compile(  # the start of a sentence (which "Mr." does not end), a word, and the number of "iPhone 15"
    r"((?:^|(?<!\b[A-Z][a-z])\.|[!?:\n。])[^\w\n]{0,4})?(?<![^\W_\u3400-\u9fff])"
    r"([^\W\d_\u3400-\u9fff][^\W_\u3400-\u9fff]*(?:[.-]\d[^\W_\u3400-\u9fff]*)*)( \d+(?:\.\d+)*)?"
)


def _names(text: str) -> tuple[dict[tuple[str, ...], str], set[str | tuple[str, str]]]:
    """Names as tokens, with their spelling; and all tokens of the text and pairs of neighbours."""
    text = _INITIALS.sub(lambda found: found[0].replace(".", ""), text)
    tokens = _TOKEN.findall(text.casefold())
    chinese = 2 * sum("\u3400" <= token <= "\u9fff" for token in tokens) >= len(tokens)
    names = ["".join(found) for found in _QUOTED.findall(text)]
    for start, word, number in map(re.Match.groups, _NAME.finditer(text)):
        if not chinese and word.isalpha() and word.islower():
            continue
        capital = word[0].isupper() and start is None and word != "I" and word.lower() not in _SPELLED
        if capital or (chinese and word.isascii()) or word[1:].lower() != word[1:] or any(map(str.isdigit, word)):
            names.append(word + (number or ""))
    by_tokens = {tuple(_TOKEN.findall(name.casefold())): name for name in names}
    return {key: name for key, name in by_tokens.items() if key}, {*tokens, *pairwise(tokens)}


def _entities(asked: str, cached: str) -> str:
    (here, here_all), (there, there_all) = _names(asked), _names(cached)
    lacking = [
        [name for key, name in names.items() if not everything.issuperset(pairwise(key) if key[1:] else key)]
        for names, everything in ((here, there_all), (there, here_all))
    ]
    return _differ("entities", *lacking) if all(lacking) else ""


def _differ(what: str, here: list[str], there: list[str]) -> str:
    sides = " / ".join(", ".join(side[:3]) or "none" for side in (here, there))
    return f"{what} differ: {sides}" if here or there else ""


_FINDS = dict(zip(RULES, (_negation, _numbers, _entities), strict=True))


class Guard:
    """Objects where two prompts differ in what an encoder barely sees.

    negation: the counts of negations differ, or one side has a word (enable, 打开) and the other only its opposite.
    "Why not" and "Can't open" negate; "Can't I", "or not" and 能不能 only ask. What is negated is not parsed.
    numbers: the multisets differ; 1,000 is 1000, "third" 3, 一千 1000, and 50% other than 50. 0 and 1 in words match
    the digit but never object.
    entities: each side has a name that the other lacks. A name on one side only ("my router", "my Netgear router") is
    more detail, no objection. Names show by capitals inside a sentence, digits or quotation marks, in Chinese by Latin
    letters or quotation marks: "paris" and 北京 go unseen.

    Args:
        rules: those of ``RULES`` to apply, in this order.

    Raises:
        ToolkitError: an unknown rule.
    """

    def __init__(self, rules: Sequence[str] = RULES):
        for rule in rules if isinstance(rules, Iterable) else [rules]:
            if rule not in _FINDS:
                raise ToolkitError(f"Guard: rules among {', '.join(RULES)} were expected; got {rule!r}.")
        self.rules = tuple(rules)

    def objection(self, asked: str, cached: str) -> str:
        """Why the answer to ``cached`` must not be given to ``asked``; "" where nothing speaks against it.

        Whether there is an objection does not depend on the order of the two; its wording does.
        """
        if asked == cached:
            return ""
        asked, cached = (unicodedata.normalize("NFKC", text).replace("’", "'") for text in (asked, cached))
        return next(filter(None, (_FINDS[rule](asked, cached) for rule in self.rules)), "")
