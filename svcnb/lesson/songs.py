"""Songs in the public domain, melody and words; the words of joy and the syllables of the last three are our own.

Notebook: 01_data
"""

from svcnb.lesson.score import Song, read

SONGS = {
    song.name: song
    for song in [
        read("twinkle", 92, """
            t-w-ih-ng/60 k-el/60 t-w-ih-ng/67 k-el/67 l-ih/69 dx-el/69 s-t-aa-r/67*1.6 _*.4
            h-aw/65 ay/65 w-ah-n/64 d-er/64 w-ah-t/62 y-uw/62 aa-r/60*1.6 _*.4
            ah-p/67 ax/67 b-ah-v/65 dh-ax/65 w-er-l-d/64 s-ow/64 h-ay/62*1.6 _*.4
            l-ay-k/67 ax/67 d-ay/65 m-ax-n-d/65 ih-n/64 dh-ax/64 s-k-ay/62*1.6 _*.4"""),
        read("row", 88, """
            r-ow/60*1.5 r-ow/60*1.5 r-ow/60 y-ao-r/62*.5 b-ow-t/64*1.2 _*.3
            jh-eh-n-t/64 l-iy/62*.5 d-aw-n/64 dh-ax/65*.5 s-t-r-iy-m/67*2.2 _*.8
            m-eh/72*.5 r-ax/72*.5 l-iy/72*.5 m-eh/67*.5 r-ax/67*.5 l-iy/67*.5
            m-eh/64*.5 r-ax/64*.5 l-iy/64*.5 m-eh/60*.5 r-ax/60*.5 l-iy/60*.5
            l-ay-f/67 ih-z/65*.5 b-ah-t/64 ax/62*.5 d-r-iy-m/60*2.2"""),
        read("brother", 90, """
            aa-r/60 y-uw/62 s-l-iy/64 p-ih-ng/60*.8 _*.2 aa-r/60 y-uw/62 s-l-iy/64 p-ih-ng/60*.8 _*.2
            b-r-ah/64 dh-er/65 jh-aa-n/67*1.6 _*.4 b-r-ah/64 dh-er/65 jh-aa-n/67*1.6 _*.4
            m-ao-r/67*.5 n-ih-ng/69*.5 b-eh-l-z/67*.5 aa-r/65*.5 r-ih/64 ng-ih-ng/60*.8 _*.2
            m-ao-r/67*.5 n-ih-ng/69*.5 b-eh-l-z/67*.5 aa-r/65*.5 r-ih/64 ng-ih-ng/60*.8 _*.2
            d-ih-ng/60 d-ae-ng/55 d-ao-ng/60*1.6 _*.4 d-ih-ng/60 d-ae-ng/55 d-ao-ng/60*1.6"""),
        read("grace", 84, """
            ax/55 m-ey/60*1.7 z-ih-ng/64*.6 g-r-ey-s/64*1.5 _*.2 h-aw/62 s-w-iy-t/60*1.8 dh-ax/57 s-aw-n-d/55*1.7 _*.3
            dh-ae-t/55 s-ey-v-d/60*1.8 ax/64*.6 r-eh-ch/64*1.6 l-ay-k/62 m-iy/67*3 _*.5
            ay/64 w-ah-n-s/67*1.8 w-aa-z/64*.6 l-ao-s-t/64*1.5 _*.1 b-ah-t/62 n-aw/60*1.8 ay-m/57 f-aw-n-d/55*1.7 _*.3
            w-ah-z/55 b-l-ay-n-d/60*1.8 b-ah-t/64*.6 n-aw/64*1.6 ay/62 s-iy/60*2.6"""),
        read("mary", 108, """
            m-eh/64 r-iy/62 h-ae-d/60 ax/62 l-ih/64 dx-el/64 l-ae-m/64*1.6 _*.4 l-ih/62 dx-el/62 l-ae-m/62*1.6 _*.4
            l-ih/64 dx-el/67 l-ae-m/67*1.6 _*.4 m-eh/64 r-iy/62 h-ae-d/60 ax/62 l-ih/64 dx-el/64 l-ae-m/64 ih-t-s/64
            f-l-iy-s/62 w-aa-z/62 w-ay-t/64 ae-z/62 s-n-ow/60*2.6"""),
        read("joy", 108, """
            s-eh/64 v-ax-n/64 y-eh/65 l-ow/67 b-er-d-z/67 aa-r/65 f-l-ay/64 ih-ng/62
            ow/60 v-er/60 m-aw-n/62 t-ax-n-z/64 ow/64*1.5 v-er/62*.5 s-iy/62*1.6 _*.4
            b-r-ih-ng/64 m-iy/64 b-ae-k/65 ax/67 g-ow-l/67 d-ax-n/65 f-eh/64 dh-er/62
            l-iy-v/60 ax/60 l-ih/62 dx-el/64 s-ao-ng/62*1.5 f-ao-r/60*.5 m-iy/60*2"""),
        read("london", 112, """
            l-ah-n/67*1.5 d-ax-n/69*.5 b-r-ih-jh/67 ih-z/65 f-ao/64 l-ih-ng/65 d-aw-n/67*1.7 _*.3
            f-ao/62 l-ih-ng/64 d-aw-n/65*1.7 _*.3 f-ao/64 l-ih-ng/65 d-aw-n/67*1.7 _*.3
            l-ah-n/67*1.5 d-ax-n/69*.5 b-r-ih-jh/67 ih-z/65 f-ao/64 l-ih-ng/65 d-aw-n/67*1.7 _*.3
            m-ay/62*2 f-eh-r/67*2 l-ey/64 d-iy/60*2.6"""),
        read("farm", 116, """
            ow-l-d/60 m-ax-k/60 d-aa/60 n-el-d/55 h-ae-d/57 ax/57 f-aa-r-m/55*1.6 _*.4
            iy/64 ay/64 iy/62 ay/62 ow/60*2.5 _*.5
            ae-n-d/55 aa-n/60 dh-ae-t/60 f-aa-r-m/60 h-iy/55 h-ae-d/57 s-ah-m/57 k-aw-z/55*1.6 _*.4
            iy/64 ay/64 iy/62 ay/62 ow/60*2.5 _*.5
            w-ih-dh/55*.5 ax/55*.5 m-uw/60 m-uw/60 h-iy-r/60 ae-n-d/55*.5 ax/55*.5 m-uw/60 m-uw/60 dh-eh-r/60*2"""),
        read("auld", 96, """
            sh-uh-d/55 ow-l-d/60*1.5 ax/60*.5 k-w-ey-n/60 t-ax-n-s/64 b-iy/62*1.5 f-ao-r/60*.5 g-aa-t/62 ax-n-d/64
            n-eh/60*1.5 v-er/60*.5 b-r-ao-t/64 t-uw/67 m-ay-n-d/69*2.4 _*.6
            sh-uh-d/69 ow-l-d/67*1.5 ax/64*.5 k-w-ey-n/64 t-ax-n-s/60 b-iy/62*1.5 f-ao-r/60*.5 g-aa-t/62 ax-n-d/64
            d-ey-z/60*1.5 ah-v/57*.5 ow-l-d/57 l-ae-ng/55 s-ay-n/60*2.6"""),
        read("susanna", 120, """
            ow/60*.5 ay/62*.5 k-ah-m/64 f-r-ah-m/67 ae/67*1.5 l-ax/69*.5 b-ae/67 m-ax/64 w-ih-dh/60*1.5 m-ay/62*.5
            b-ae-n/64 jh-ow/64 aa-n/62 m-ay/60 n-iy/62*2.4 _*.6
            ay-m/60*.5 g-oy-ng/62*.5 t-uw/64*2 l-uw/67*1.5 z-iy/69*.5 ae/67 n-ax/64 m-ay/60*1.5 t-r-uw/62*.5
            l-ah-v/64 f-ao-r/64 t-uw/62 s-iy/60*2.4 _*.6
            ow/65*2 s-uw/65*2 z-ae/69 n-ax/69*2 ow/69 d-ow-n-t/67 y-uw/67 k-r-ay/64 f-ao-r/60 m-iy/62*2.6"""),
        read("yankee", 132, """
            y-ae-ng/60 k-iy/60 d-uw/62 d-el/64 w-eh-n-t/60 t-uw/64 t-aw-n/62 ax/55 r-ay/60 d-ih-ng/60 aa-n/62 ax/64
            p-ow/60*1.8 n-iy/59*1.6 _*.6
            s-t-ah-k/60 ax/60 f-eh/62 dh-er/64 ih-n/65 h-ih-z/64 k-ae-p/62 ae-n-d/60 k-ao-l-d/59 ih-t/55 m-ae/57 k-ax/59
            r-ow/60*1.8 n-iy/60*2.4"""),
        read("silent", 104, """
            s-ay/60*1.5 iy/62*.5 l-ax-n-t/60 n-ay-t/57*2.5 _*.5 h-ow/60*1.5 uw/62*.5 l-iy/60 n-ay-t/57*2.5 _*.5
            ao-l/67*2 ih-z/67 k-aa-m/64*2.6 _*.4 ao-l/65*2 ih-z/65 b-r-ay-t/60*2.5 _*.5
            r-aw-n-d/62*2 y-aa-n/62 v-er/65*2 jh-ih-n/62 m-ah/60*1.5 dh-er/62*.5 ae-n-d/60 ch-ay-l-d/57*2.5 _*.5
            h-ow/62*2 l-iy/62 ih-n/65*1.5 f-ax-n-t/64*.5 s-ow/62 t-eh-n/60*1.5 d-er/62*.5 ae-n-d/60 m-ay-l-d/57*2.5 _*.5
            s-l-iy-p/67*2 ih-n/67 h-eh/70*1.5 v-ax-n/67*.5 l-iy/64 p-iy-s/65*2.6 _*.4
            s-l-iy-p/65*2 ih-n/57 h-eh/60*1.5 v-ax-n/58*.5 l-iy/55 p-iy-s/53*3"""),
        read("fair", 112, """
            aa-r/60*2 y-uw/60 g-ow/67 ih-ng/67 t-uw/67 s-k-aa-r/62*1.5 b-ax/63*.5 r-ow/62 f-eh-r/60*2.6 _*.4
            p-aa-r-s/67 l-iy/70 s-ey-jh/72*2 r-ow-z/70 m-eh/67 r-iy/69 ae-n-d/65 t-ay-m/67*2.6 _*.6
            r-ih/72 m-eh-m/72 b-er/72 m-iy/70*2 t-uw/67 w-ah-n/67 h-uw/65 l-ih-v-z/63 dh-eh-r/62*2.4 _*.6
            sh-iy/60 w-ah-n-s/67*2 w-ah-z/65 ax/63 t-r-uw/62 l-ah-v/60 ah-v/58 m-ay-n/60*3"""),
        read("sleeves", 108, """
            ax/57 l-ae-s/60*2 m-ay/62 l-ah-v/64*1.5 y-uw/65*.5 d-uw/64 m-iy/62*2 r-ao-ng/59*1.8 _*.2
            t-uw/55*.5 k-ae-s-t/57*1.5 m-iy/59 ao-f/60*2 d-ih-s/57 k-er/57*1.5 t-iy/56*.5 ax-s/57 l-iy/59*3 _*.6
            ae-n-d/57 ay/60*2 h-ae-v/62 l-ah-v/64*1.5 d-y-uw/65*.5 s-ow/64 l-ao-ng/62*2.6 _*.4
            d-ih/59 l-ay/60*1.5 t-ih-ng/59*.5 ih-n/57 y-ao-r/56*1.5 k-ah-m/54*.5 p-ax/56 n-iy/57*3"""),
        read("kitchen", 108, """
            b-oy/60 b-uh-k/62 g-uh-d/64 sh-ae/65 ch-ih/67 z-uw/65 v-oy/64 jh-er/62 k-uh-d/60*1.6 _*.4
            p-ah/67 t-ah/65 k-ah/64 b-iy/62 d-iy/60 g-iy/59 f-ao/60 th-ao/62 sh-ao/64 s-ao/65 h-aa/67*1.6 _*.4
            z-eh/72 v-eh/71 dh-eh/69 w-ey/67 y-aa/69 r-ae/65 l-uh/67 m-er/64 n-oy/62 ih-ng/60 uw-z/59 eh-sh/60*1.6 _*.4
            ch-aw/55 jh-ow/57 th-ih-ng/59 f-uh-l/60 g-er-l/62 k-ow-t/64 p-iy-ch/65 sh-uw-z/67 h-eh-jh/65 b-ae-th/64
            v-ay-b/62 d-uh-k/59 oy-l/60*2.4"""),
        read("scales", 120, """
            n-aa/60 n-eh/62 n-iy/64 n-ow/65 n-uw/67 n-ae/69 n-ao/71 n-er/72*2 l-ah/71 l-ih/69 l-uh/67 l-ey/65
            l-ay/64 l-aw/62 l-oy/60*2 _ m-iy/60 m-iy/67*2 m-aa/60 m-aa/72*2 y-uw/60 y-uw/64*2 w-eh/67 w-eh/55*2 _
            d-ow/60*2 r-ey/62*2 m-iy/64*2 f-aa/65*2 s-ow/67*3"""),
        read("vowels", 80, "l-aa/60 l-ey/62 l-iy/64 l-ow/65 l-uw/67*2 _*.5 m-aa/67 m-eh/65 m-iy/64 m-ao/62 m-uw/60*2"),
    ]
}  # fmt: skip

HELD_OUT_SONGS = ("row", "joy", "fair")  # kept out of every training, so that scores on them are honest
TRAIN_SONGS = tuple(name for name in SONGS if name not in HELD_OUT_SONGS)


def find(song: Song | str) -> Song:
    """A song by name; any other song is returned as is. Raises KeyError."""
    if isinstance(song, str) and song not in SONGS:
        raise KeyError(f"There is no lesson song {song}; there are {', '.join(SONGS)}.")
    return SONGS[song] if isinstance(song, str) else song
