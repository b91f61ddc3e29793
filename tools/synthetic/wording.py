"""Made-up names in Japanese and English for generated data; each number has its own name."""

from __future__ import annotations

from dataclasses import dataclass

_FAMILIES = """
佐藤 さとう Sato|鈴木 すずき Suzuki|高橋 たかはし Takahashi|田中 たなか Tanaka|伊藤 いとう Ito
渡辺 わたなべ Watanabe|山本 やまもと Yamamoto|中村 なかむら Nakamura|小林 こばやし Kobayashi|加藤 かとう Kato
吉田 よしだ Yoshida|山田 やまだ Yamada|佐々木 ささき Sasaki|山口 やまぐち Yamaguchi|松本 まつもと Matsumoto
井上 いのうえ Inoue|木村 きむら Kimura|林 はやし Hayashi|斎藤 さいとう Saito|清水 しみず Shimizu
山崎 やまざき Yamazaki|森 もり Mori|池田 いけだ Ikeda|橋本 はしもと Hashimoto|阿部 あべ Abe|石川 いしかわ Ishikawa
山下 やました Yamashita|中島 なかじま Nakajima|石井 いしい Ishii|小川 おがわ Ogawa|前田 まえだ Maeda
岡田 おかだ Okada|長谷川 はせがわ Hasegawa|藤田 ふじた Fujita|後藤 ごとう Goto|近藤 こんどう Kondo
村上 むらかみ Murakami|遠藤 えんどう Endo|青木 あおき Aoki|坂本 さかもと Sakamoto|福田 ふくだ Fukuda|太田 おおた Ota
西村 にしむら Nishimura|藤井 ふじい Fujii|金子 かねこ Kaneko|岡本 おかもと Okamoto|藤原 ふじわら Fujiwara
中野 なかの Nakano|三浦 みうら Miura|原田 はらだ Harada|中川 なかがわ Nakagawa|松田 まつだ Matsuda
竹内 たけうち Takeuchi|小野 おの Ono|田村 たむら Tamura|中山 なかやま Nakayama|和田 わだ Wada|石田 いしだ Ishida
森田 もりた Morita|上田 うえだ Ueda|原 はら Hara|内田 うちだ Uchida|柴田 しばた Shibata|酒井 さかい Sakai
"""
_FIRST_HALVES = """
健 けん ken|康 やす yasu|裕 ひろ hiro|正 まさ masa|和 かず kazu|明 あき aki|義 よし yoshi|直 なお nao|智 とも tomo
隆 たか taka|信 のぶ nobu|晴 はる haru|秀 ひで hide|俊 とし toshi|英 えい ei|佳 か ka|美 み mi|由 ゆ yu|真 ま ma
千 ち chi|早 さ sa|奈 な na|恵 え e|理 り ri|沙 しゃ sha|幸 ゆき yuki|清 きよ kiyo|貞 さだ sada
"""
_SECOND_HALVES = """
一 いち ichi|二 じ ji|太 た ta|介 すけ suke|彦 ひこ hiko|雄 お o|之 ゆき yuki|人 と to|樹 き ki|哉 や ya|平 へい hei
郎 ろう ro|司 し shi|吾 ご go|子 こ ko|香 か ka|江 え e|穂 ほ ho|代 よ yo|菜 な na|里 り ri|紀 のり nori
治 はる haru|乃 の no|吉 きち kichi|朗 あき aki|貴 たか taka|美子 みこ miko
"""
_CITIES = """
札幌 Sapporo|函館 Hakodate|青森 Aomori|盛岡 Morioka|仙台 Sendai|秋田 Akita|山形 Yamagata|福島 Fukushima|水戸 Mito
つくば Tsukuba|宇都宮 Utsunomiya|前橋 Maebashi|和光 Wako|柏 Kashiwa|千葉 Chiba|八王子 Hachioji|横浜 Yokohama
川崎 Kawasaki|新潟 Niigata|長岡 Nagaoka|富山 Toyama|金沢 Kanazawa|福井 Fukui|甲府 Kofu|長野 Nagano|岐阜 Gifu
静岡 Shizuoka|浜松 Hamamatsu|豊橋 Toyohashi|津 Tsu|大津 Otsu|彦根 Hikone|吹田 Suita|堺 Sakai|神戸 Kobe|姫路 Himeji
奈良 Nara|和歌山 Wakayama|鳥取 Tottori|松江 Matsue|岡山 Okayama|呉 Kure|下関 Shimonoseki|徳島 Tokushima
高松 Takamatsu|松山 Matsuyama|高知 Kochi|北九州 Kitakyushu|佐賀 Saga|長崎 Nagasaki|熊本 Kumamoto|大分 Oita
宮崎 Miyazaki|鹿児島 Kagoshima|那覇 Naha|名護 Nago|旭川 Asahikawa|帯広 Obihiro|会津 Aizu
"""
_FIELDS = """
量子材料 quantum materials|創薬 drug discovery|気象予測 weather forecasting|海洋観測 ocean observation
核融合 fusion energy|半導体設計 chip design|蛋白質構造 protein structure|自動運転 automated driving
看護記録 nursing records|農業機械 farm machinery|地震波 seismic waves|宇宙輸送 space transport|蓄電池 batteries
触媒探索 catalyst search|遺伝子解析 gene analysis|手話翻訳 sign language translation|古文書 old manuscripts
交通流 traffic flow|水資源 water resources|森林管理 forest management|製造検査 factory inspection
音声合成 speech synthesis|医用画像 medical imaging|教育支援 teaching support|災害対応 disaster response
数値流体 fluid dynamics|暗号計算 encrypted computing|脳計測 brain measurement|介護ロボット care robots
漁業資源 fish stocks|光通信 optical networks|電力需給 power supply|文化財 cultural property|港湾物流 port logistics
化学合成 chemical synthesis|衛星画像 satellite images|感染症 infectious diseases
"""


@dataclass(frozen=True, slots=True)
class Words:
    """A text in Japanese, in kana ('' if not needed) and in English."""

    ja: str
    kana: str
    en: str


def _table(text: str) -> tuple[Words, ...]:
    return tuple(_words(row) for row in text.strip().replace("\n", "|").split("|"))


def _words(row: str) -> Words:
    """Parses Japanese, an optional reading in kana, and English, which may have spaces."""
    ja, second, *rest = row.split(" ")
    return Words(ja, "", " ".join((second, *rest))) if second.isascii() else Words(ja, second, " ".join(rest))


_FAMILY = _table(_FAMILIES)
_FIRST, _SECOND = _table(_FIRST_HALVES), _table(_SECOND_HALVES)
_CITY, _FIELD = _table(_CITIES), _table(_FIELDS)
PERSONS = len(_FAMILY) * len(_FIRST) * len(_SECOND)
# Coprime to PERSONS, so that consecutive numbers have different names and no name repeats.
_STRIDE = 15_013


def person(number: int) -> Words:
    """The name of a person; names repeat after `PERSONS` numbers."""
    rest, family = divmod(number * _STRIDE % PERSONS, len(_FAMILY))
    first, second = _FIRST[rest % len(_FIRST)], _SECOND[rest // len(_FIRST)]
    name = _FAMILY[family]
    given = (first.en + second.en).capitalize()
    return Words(f"{name.ja} {first.ja}{second.ja}", f"{name.kana} {first.kana}{second.kana}", f"{given} {name.en}")


def place_and_field(number: int) -> tuple[Words, Words]:
    """A unique pair of city and field of research; when pairs repeat, the field gets a phase number."""
    phase, rest = divmod(number, len(_CITY) * len(_FIELD))
    city, field = _CITY[rest % len(_CITY)], _FIELD[rest % len(_FIELD)]
    if phase:
        field = Words(f"{field.ja}第{phase + 1}期", "", f"{field.en}, phase {phase + 1}")
    return city, field
