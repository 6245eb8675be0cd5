"""Every address of the viewer, each told once: routes, descriptions and docs/viewer.md come of this table."""

from crystal_search.viewer import (
    answers,
    api,
    api_page,
    audit_page,
    drops_api,
    imagers_page,
    import_page,
    ledger_api,
    openapi,
    openid_page,
    pages,
    plates_page,
    queues_page,
    sent_records,
    sign_in_page,
    today_page,
)
from crystal_search.viewer.addresses import Address
from crystal_search.viewer.context import CHANNEL, INSPECTION
from crystal_search.viewer.messages import messages_page
from crystal_search.viewer.people.roles import ANYBODY
from crystal_search.viewer.picking import picks_page
from crystal_search.viewer.recipes import RECIPE
from crystal_search.viewer.reports import report_pages

PAGES = (
    Address(
        path="/",
        endpoint=today_page.get_today_page,
        says="[Today](#today): the best drops of all plates that are new; `days` chooses",
    ),
    Address(
        path="/plates",
        endpoint=plates_page.get_plates_page,
        says="the list of plates",
        asks=plates_page.ASKED,
    ),
    Address(
        path="/plate/{plate}",
        endpoint=pages.get_plate_page,
        says="the overview of a plate",
        asks=(INSPECTION, CHANNEL, RECIPE),
    ),
    Address(
        path="/plate/{plate}/scores.csv",
        endpoint=api.get_score_table,
        says="one row for each image, both kinds of score, project, owner and condition; all inspections, or the one "
        "that is named",
        gives="text/csv",
        asks=(INSPECTION, CHANNEL),
    ),
    Address(path="/drop/{image_id:image_id}", endpoint=pages.get_drop_page, says="a drop"),
    Address(
        path="/imagers",
        endpoint=imagers_page.get_imagers_page,
        says="how the [imagers](sentinel.md) are, by day, and their strangest images of late",
    ),
    Address(path="/queues", endpoint=queues_page.get_queues_page, says="the list `teach`", asks=queues_page.ASKED),
    Address(
        path="/queues/{queue}",
        endpoint=queues_page.get_queues_page,
        says="a list of drops [worth a look](#worth-a-look), `teach`, `person`, `people`, `second` or `strange`",
        asks=queues_page.ASKED,
    ),
    Address(
        path="/plate/{plate}/report",
        endpoint=report_pages.get_plate_report,
        says="the [report](exports.md#reports) of a plate, made to be printed",
    ),
    Address(
        path="/plate/{plate}/report.pptx",
        endpoint=report_pages.get_plate_slides,
        says="the same as slides",
        gives=report_pages.PPTX,
    ),
    Address(
        path="/report",
        endpoint=report_pages.get_project_report,
        says="the [report](exports.md#reports) of a project",
        asks=(report_pages.PROJECT,),
    ),
    Address(
        path="/report.pptx",
        endpoint=report_pages.get_project_slides,
        says="the same as slides",
        gives=report_pages.PPTX,
        asks=(report_pages.PROJECT,),
    ),
    Address(
        path="/messages",
        endpoint=messages_page.get_messages_page,
        says="which [messages](messages.md) somebody gets",
    ),
    Address(
        path="/messages/stop/{token}",
        endpoint=messages_page.get_stop_page,
        says="ending messages, by the token of their link",
        role=ANYBODY,
    ),
    Address(
        path="/picks",
        endpoint=picks_page.get_picks_page,
        says="a [pick list](exports.md#a-pick-list): drops that were ticked",
        asks=(picks_page.IDS,),
    ),
    Address(
        path="/picks/{format}.csv",
        endpoint=picks_page.get_pick_file,
        says="a pick list as a file: `harvest`, `dispense`, `echo`, `soakdb` or `shifter`",
        gives="text/csv",
        asks=picks_page.ASKED,
    ),
    Address(path="/api", endpoint=api_page.get_api_page, says="what programs can ask, send and get"),
    Address(path="/import", endpoint=import_page.get_import_page, says="the plates that a folder would become"),
    Address(
        path="/outcomes.css",
        endpoint=pages.get_outcome_colours,
        says="the frame colours",
        gives="text/css",
        role=ANYBODY,
    ),
    Address(
        path="/sign-in",
        endpoint=sign_in_page.get_sign_in_page,
        says="signing in; afterwards the page `next` comes",
        asks=(sign_in_page.NEXT,),
        role=ANYBODY,
    ),
    Address(
        path="/sign-in/openid",
        endpoint=openid_page.get_openid_start,
        says="sends a browser to the OpenID provider",
        asks=(sign_in_page.NEXT,),
        role=ANYBODY,
    ),
    Address(
        path="/sign-in/answer",
        endpoint=openid_page.get_openid_answer,
        says="where the provider sends it back to, with `state` and `code`",
        role=ANYBODY,
    ),
    Address(
        path="/audit",
        endpoint=audit_page.get_audit_page,
        says="what people [did here](sign-in.md#audit), the last first",
        asks=audit_page.ASKED,
        role="administer",
    ),
    Address(
        path="/thumbnail/{image_id:image_id}",
        endpoint=api.get_thumbnail,
        says="JPEG, 320 px wide",
        gives="image/jpeg",
    ),
    Address(
        path="/image/{image_id:image_id}",
        endpoint=api.get_image,
        says="the image as stored; as JPEG where browsers cannot show its format",
        gives="image/*",
    ),
)

API = (
    Address(
        path="/api/openapi.json",
        endpoint=openapi.get_openapi,
        says="the description of all of these addresses that begin with `/api/`, by OpenAPI 3.1",
        gives=dict,
    ),
    Address(
        path="/api/today",
        endpoint=today_page.get_today,
        says="the best drops of all plates that are new to a person, a card each",
        gives=answers.Today,
        asks=today_page.ASKED,
    ),
    Address(
        path="/api/plates",
        endpoint=plates_page.get_plates,
        says="a page of the list of plates, `found` of `all`",
        gives=answers.Plates,
        asks=plates_page.ASKED,
    ),
    Address(
        path="/api/plate/{plate}",
        endpoint=api.get_board,
        says="one inspection of a plate: every drop with its newest scores, its `condition`, and its `triage` where a "
        "readout in use [promises something](adaptation.md#triage-with-a-promise); whose the plate is; "
        "the `recipes` of its scores",
        gives=answers.Board,
        asks=(INSPECTION, CHANNEL, RECIPE),
    ),
    Address(
        path="/api/plate/{plate}/counts",
        endpoint=api.get_counts,
        says="how many drops are in each group, `unsure` where none reached the threshold; `triage`: how many are "
        "`in`, `out`, `cannot_promise`",
        gives=answers.Counts,
        asks=(INSPECTION, CHANNEL),
    ),
    Address(
        path="/api/drops",
        endpoint=drops_api.get_drops,
        says="the drops of all plates, by plate, inspection and well: one row for each image, as in `scores.csv`; "
        "[how to go through them](api.md#all-drops)",
        gives=answers.Drops,
        asks=drops_api.ASKED,
    ),
    Address(
        path="/api/scores",
        endpoint=ledger_api.get_scores,
        says="every score that people and machines ever gave, in the order in which they came; "
        "[how to follow it](api.md#new-scores)",
        gives=answers.Scores,
        asks=ledger_api.ASKED,
    ),
    Address(
        path="/api/drop/{image_id:image_id}",
        endpoint=api.get_drop,
        says="an image and all its scores, newest first; whose it is, and the `ingredients` of its drop",
        gives=answers.ImageLedger,
    ),
    Address(
        path="/api/drop/{image_id:image_id}/siblings",
        endpoint=api.get_siblings,
        says="the same drop at every inspection, in every channel",
        gives=answers.Siblings,
    ),
    Address(
        path="/api/queues/{queue}",
        endpoint=queues_page.get_queue,
        says="a list of drops [worth a look](#worth-a-look): `drops`, `images` in the list, `page` of `pages`, and "
        "whether it `is_current`; `machine`, `person` or `second` and `sure` of a disagreement",
        gives=answers.Queue,
        asks=queues_page.ASKED,
    ),
    Address(
        path="/api/sign-in",
        endpoint=sign_in_page.post_sign_in,
        method="POST",
        role=ANYBODY,
        says='signs a person in who has an account, with a cookie: `{"name": "Ada", "password": "..."}`',
        gives=answers.SignedIn,
        takes=sent_records.Credentials,
    ),
    Address(
        path="/api/sign-out",
        endpoint=sign_in_page.post_sign_out,
        method="POST",
        role=ANYBODY,
        says="ends the session of the cookie: `{}`",
        gives=answers.SignedIn,
        takes=sent_records.Nothing,
    ),
    Address(
        path="/api/messages",
        endpoint=messages_page.post_wish,
        method="POST",
        role="score",
        says="has a person get [messages](messages.md) of new crystals, in place of those that they got",
        gives=answers.MessagesWanted,
        takes=sent_records.WishForMessages,
    ),
    Address(
        path="/api/messages/end",
        endpoint=messages_page.post_end,
        method="POST",
        role="score",
        says="ends a person's messages",
        gives=answers.MessagesEnded,
        takes=sent_records.EndOfMessages,
    ),
    Address(
        path="/api/messages/stop",
        endpoint=messages_page.post_stop,
        method="POST",
        role=ANYBODY,
        says="ends messages by the token of their link",
        gives=answers.MessagesEnded,
        takes=sent_records.StopOfMessages,
    ),
    Address(
        path="/api/import",
        endpoint=import_page.post_import,
        method="POST",
        role="curate",
        says='does the import whose plan was seen: `{"made_at": 1769871234.5}`, the plan\'s',
        gives=answers.Imported,
        takes=sent_records.SeenPlan,
    ),
    Address(
        path="/api/seen",
        endpoint=today_page.post_looking,
        method="POST",
        role="score",
        says="notes that a person has seen plates, or looked `through` Today: "
        '`{"plates": ["P1"], "as_of": "2026-01-31T12:00:00+00:00", "person": "Ada"}`',
        gives=answers.Looked,
        takes=sent_records.Looking,
    ),
    Address(
        path="/api/comment",
        endpoint=api.post_comment,
        method="POST",
        role="score",
        says='adds a comment: `{"image_id": 7, "person": "Ada", "text": "tiny needles"}`',
        gives=answers.ImageLedger,
        takes=sent_records.NewComment,
        status=201,
    ),
    Address(
        path="/api/take-back",
        endpoint=api.post_taking_back,
        method="POST",
        role="score",
        says="takes back the score that a person gave an image last, or a comment or mark of theirs: "
        '`{"image_id": 7, "score_id": 12, "person": "Ada"}`, or `comment_id` or `mark_id`; the number is its `id`',
        gives=answers.ImageLedger,
        takes=sent_records.TakingBack,
        status=201,
    ),
    Address(
        path="/api/mark",
        endpoint=api.post_mark,
        method="POST",
        role="score",
        says='marks a point or a box: `{"image_id": 7, "kind": "pick", "place": [120, 85], "person": "Ada"}`; `kind` '
        "is `pick`, `dispense`, or `favourite` without a place; a place is `[row, column]` or `[top, left, bottom, "
        "right]`, half-open, in pixels of the image as stored",
        gives=answers.ImageLedger,
        takes=sent_records.NewMark,
        status=201,
    ),
    Address(
        path="/api/score",
        endpoint=api.post_score,
        method="POST",
        role="score",
        says='adds a score by hand: `{"image_id": 7, "outcome": "clear", "person": "Ada", "comment": ""}`',
        gives=answers.ImageLedger,
        takes=sent_records.ScoreByHand,
        status=201,
    ),
)

ADDRESSES = (*PAGES, *API)
