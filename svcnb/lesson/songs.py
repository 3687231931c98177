"""Songs in the public domain: melody and words, or words of our own (joy).

Notebook: 01_data
"""

from svcnb.lesson.score import read

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
        read("vowels", 80, "l-aa/60 l-ey/62 l-iy/64 l-ow/65 l-uw/67*2 _*.5 m-aa/67 m-eh/65 m-iy/64 m-ao/62 m-uw/60*2"),
    ]
}  # fmt: skip

HELD_OUT_SONGS = ("row", "brother", "joy")  # kept out of every training, so that scores on them are honest
TRAIN_SONGS = tuple(name for name in SONGS if name not in HELD_OUT_SONGS)
