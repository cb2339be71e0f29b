"""The guard objects to what must not share an answer, and lets paraphrases through."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit.cache.guard import RULES, Guard
from toolkit.errors import ToolkitError

# asked, cached, and the rule that alone must object
DIFFER = [
    # negation, English
    ("Is aspirin safe?", "Is aspirin not safe?", "negation"),
    ("Why does my code compile?", "Why doesn't my code compile?", "negation"),
    ("Why doesn’t it start?", "Why does it start?", "negation"),
    ("why dont cats like water", "why do cats like water", "negation"),
    ("Foods I can eat", "Foods I cannot eat", "negation"),
    ("Can't open the file", "Can open the file", "negation"),
    ("Should I always reboot?", "Should I never reboot?", "negation"),
    ("A recipe with eggs", "A recipe without eggs", "negation"),
    ("Why use Rust?", "Why not use Rust?", "negation"),
    ("List the items that are red and round", "List the items that are not red and not round", "negation"),
    ("Why can I log in?", "Why can't I log in?", "negation"),
    ("Is it legal?", "Is it illegal?", "negation"),
    ("Is it possible to fly?", "Is it not possible to fly?", "negation"),
    ("How do I enable Bluetooth?", "How do I disable Bluetooth?", "negation"),
    ("enabling the firewall", "disabling the firewall", "negation"),
    ("Should I buy gold?", "Should I not sell gold?", "negation"),
    ("how to buy shares", "how to sell shares", "negation"),
    ("stopping the server", "starting the server", "negation"),
    ("Sort in ascending order", "Sort in descending order", "negation"),
    ("Should I stretch before running?", "Should I stretch after running?", "negation"),
    ("How do I log in to my bank?", "How do I log out of my bank?", "negation"),
    ("Turn the lights on", "Turn the lights off", "negation"),
    ("Which city has the most rain?", "Which city has the least rain?", "negation"),
    ("Who was the first president?", "Who was the last president?", "negation"),
    # negation, Chinese
    ("这个药安全吗", "这个药不安全吗", "negation"),
    ("花呗可以提前还款吗", "花呗不可以提前还款吗", "negation"),
    ("为什么收到短信", "为什么没收到短信", "negation"),
    ("我有收到货", "我没有收到货", "negation"),
    ("请关注我", "请别关注我", "negation"),
    ("这张券过期吗", "这张券不过期吗", "negation"),
    ("请勿拍照", "可以拍照", "negation"),
    ("已读的邮件", "未读的邮件", "negation"),
    ("怎么开通花呗", "怎么关闭花呗", "negation"),
    ("怎么借钱", "怎么还钱", "negation"),
    ("饭前还是饭之后吃药", "饭之前吃药", "negation"),
    ("绑定手机号", "解绑手机号", "negation"),
    ("按升序排列", "按降序排列", "negation"),
    ("我同意这个条款", "我不同意这个条款", "negation"),
    ("审核通过怎么办", "审核通不过怎么办", "negation"),
    ("无线网卡怎么装", "有线网卡怎么装", "negation"),
    ("能不能退款", "是不是不能退款", "negation"),
    ("请把 dark mode 打开", "请把 dark mode 关闭", "negation"),
    # numbers
    ("sort 10 numbers", "sort 100 numbers", "numbers"),
    ("sort numbers", "sort 10 numbers", "numbers"),
    ("a tip of 15%", "a tip of 20%", "numbers"),
    ("add 10 to it", "add 10% to it", "numbers"),
    ("three little pigs", "four little pigs", "numbers"),
    ("the 3rd planet", "the fourth planet", "numbers"),
    ("the first amendment", "the second amendment", "numbers"),
    ("twenty-one days", "twenty-two days", "numbers"),
    ("round 2.5 up", "round 2.51 up", "numbers"),
    ("What is -5 squared?", "What is 5 squared?", "numbers"),
    ("On 2024-01-05 at 10:30", "On 2024-01-05 at 10:45", "numbers"),
    ("5 million users", "5 thousand users", "numbers"),
    ("10 + 10", "10", "numbers"),
    ("三天后到货", "五天后到货", "numbers"),
    ("借两百元", "借两千元", "numbers"),
    ("周一开门吗", "周二开门吗", "numbers"),
    ("百分之二十的折扣", "百分之三十的折扣", "numbers"),
    # entities
    ("What's the weather in Paris?", "What's the weather in Lyon?", "entities"),
    ("Is it open on Monday?", "Is it open on Sunday?", "entities"),
    ("Is it hot in May?", "Is it hot in July?", "entities"),
    ("Who is Dr. Smith?", "Who is Dr. Jones?", "entities"),
    ("Explain AI to me", "Explain ML to me", "entities"),
    ("Install JavaScript", "Install TypeScript", "entities"),
    ("Compare with gpt-4", "Compare with gpt-5", "entities"),
    ("Use Python 3.10 here", "Use Python 3.1 here", "entities"),
    ('Translate "good morning"', 'Translate "good night"', "entities"),
    ("怎么安装python", "怎么安装java", "entities"),
    ("《三体》的作者是谁", "《活着》的作者是谁", "entities"),
    ("“你好”怎么说", "“再见”怎么说", "entities"),
    ("用iPhone 15拍照", "用iPhone 14拍照", "entities"),
]

SAME = [
    # negation
    ("Is it not legal?", "Is it illegal?"),
    ("That is not at all impossible to solve", "That is not at all impossible to crack"),
    ("It is not impossible", "It is possible"),
    ("This shouldn't be allowed", "This should be forbidden"),
    ("Can't I pay by card?", "Can I pay by card?"),
    ("Isn't it too late?", "Is it too late?"),
    ("Do you know a note on knots?", "Got a piece on knots?"),
    ("Play Symphony No. 5", "Play symphony 5"),
    ("It is not only fast but also cheap", "It is fast and also cheap"),
    ("Is it safe or not?", "Is it safe?"),
    ("Tell me whether or not to go", "Tell me whether to go"),
    ("Answer yes or no: is it far?", "is it far?"),
    ("Why not use Rust?", "Why should one not use Rust?"),
    ("It works neither here nor there", "It doesn't work here or there"),
    ("I'm unable to print", "I cannot print"),
    ("能不能退款", "可以退款吗"),
    ("是不是要付费", "要付费吗"),
    ("有没有优惠", "有优惠吗"),
    ("可不可以提前还款", "可以提前还款吗"),
    ("会不会下雨", "会下雨吗"),
    ("要不要带伞", "要带伞吗"),
    ("你们喜不喜欢他", "你们喜欢他吗"),
    ("是否可以退款", "可以退款吗"),
    ("你吃了没有？", "你吃了吗？"),
    ("A和B有什么不同", "A和B的区别"),
    ("差不多要几天", "大概要几天"),
    ("非常好吃的菜", "很好吃的菜"),
    ("无线鼠标推荐", "推荐蓝牙鼠标"),
    ("不错的餐厅", "好的餐厅"),
    ("对不起用英语怎么说", "抱歉用英语怎么说"),
    ("不过怎么还款", "怎么还款"),
    ("未来的天气", "以后的天气"),
    ("特别好的书", "很好的书"),
    ("会员级别怎么看", "会员等级怎么看"),
    ("我非去不可吗", "我必须去吗"),
    ("我不得不去", "我必须去"),
    ("不允许拍照吗", "禁止拍照吗"),
    ("不太安全", "很危险"),
    ("借呗还能用吗", "借呗能用吗"),
    # numbers
    ("pay 1,000 dollars", "pay 1000 dollars"),
    ("is 2.50 enough", "is 2.5 enough"),
    ("three wishes", "3 wishes"),
    ("twenty-one days", "21 days"),
    ("two hundred and five pages", "205 pages"),
    ("the 3rd planet", "the third planet"),
    ("the 1st planet", "the first planet"),
    ("5 million users", "5,000,000 users"),
    ("a 10k run", "a 10000 m run"),
    ("50 percent off", "50% off"),
    ("which one is better", "which is better"),
    ("wait a second", "wait a moment"),
    ("１０个苹果", "10个苹果"),
    ("三个苹果", "3个苹果"),
    ("十二个月", "12个月"),
    ("两百元", "200元"),
    ("三千五", "3500"),
    ("一百零五", "105"),
    ("一亿三千万", "130000000"),
    ("3万元", "30,000元"),
    ("二〇二四年", "2024年"),
    ("百分之五十", "50%"),
    ("有一些问题，帮我看一下", "有问题，帮我看看"),
    ("万一失败怎么办", "如果失败怎么办"),
    ("大家一起统一吃一样的", "大家都吃相同的"),
    ("十分感谢", "非常感谢"),
    # entities
    ("what is the capital of france", "What is the capital of France?"),
    ("iPhone battery life", "how long does the battery of an Iphone last"),
    ("How do I reset my Netgear router?", "How do I reset my router?"),
    ("I think I can. Will it rain?", "Do I think so? It may rain"),
    ("Use GPT-4 for this", "use gpt 4 for this"),
    ("Visit the U.S. now", "Visit the US now"),
    ("怎么安装Python", "how do I install python"),
    ("What does 你好 mean?", "What is the meaning of 你好?"),
]

TEXT = st.text(max_size=200) | st.lists(
    st.sampled_from([word for asked, cached, *_ in DIFFER + SAME for word in f"{asked} {cached}".split()]), max_size=12
).map(" ".join)


@pytest.mark.parametrize("asked, cached, rule", DIFFER)
def test_objects(asked, cached, rule):
    for pair in ((asked, cached), (cached, asked)):
        assert Guard().objection(*pair)
        assert Guard([rule]).objection(*pair)


@pytest.mark.parametrize("asked, cached", SAME)
def test_lets_through(asked, cached):
    assert Guard().objection(asked, cached) == Guard().objection(cached, asked) == ""


@given(TEXT, TEXT)
@settings(deadline=None, max_examples=300)
def test_reflexive_and_symmetric_on_any_text(asked, cached):
    guard = Guard()
    # A blank at the end keeps the two from being one string.
    assert guard.objection(asked, asked) == guard.objection(asked, asked + " ") == ""
    assert bool(guard.objection(asked, cached)) == bool(guard.objection(cached, asked))
    assert bool(guard.objection(asked, cached)) == any(Guard([rule]).objection(asked, cached) for rule in RULES)


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_left_out_says_nothing(rule):
    guard = Guard([other for other in RULES if other != rule])
    alone = [
        (asked, cached)
        for asked, cached, own in DIFFER
        if own == rule and not any(Guard([other]).objection(asked, cached) for other in RULES if other != rule)
    ]
    assert len(alone) > 5
    assert not any(guard.objection(*pair) for pair in alone)


def test_no_rules_never_object():
    assert Guard([]).objection("on 1 Monday", "not 2 Sundays") == ""


def test_says_what_differs():
    guard = Guard()
    assert guard.objection("sort 10 numbers", "sort 100 numbers") == "numbers differ: 10 / 100"
    assert guard.objection("sort 10 numbers", "sort numbers") == "numbers differ: 10 / none"
    assert guard.objection("Is it safe", "Isn't safe") == "opposites: safe / not safe"
    assert guard.objection("I know", "I don't know") == "negation differs"
    assert guard.objection("Weather in Paris", "Weather in Lyon") == "entities differ: Paris / Lyon"


@pytest.mark.parametrize("rules", [["negation", "spelling"], "negation"])
def test_an_unknown_rule_is_told(rules):
    with pytest.raises(ToolkitError, match="negation, numbers, entities"):
        Guard(rules)
